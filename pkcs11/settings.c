/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "pkcs11/choose.h"
#include "pkcs11/registry.h"

enum { SESSIONS_DEFAULT = 4, INTERACTION_DEFAULT_S = 60 };

void p11_settings_clear(struct p11_settings *settings)
{
    p11_uri_free(settings->key);
    p11_uri_free(settings->certificate_uri);
    for (size_t i = 0; i < settings->n_certificates; i++) {
        certificate_free(settings->certificates[i]);
    }
    attestation_trust_free(settings->attestation_trust);
    free(settings->module_path);
    free(settings->module_args);
    free(settings->pin_text);
    free(settings->state_dir);
    *settings = (struct p11_settings){ 0 };
}

/* NULL stays NULL. */
static enum keystay_status copy(const char *text, char **ret_copy, struct keystay_error *err)
{
    if (text == NULL) {
        return KEYSTAY_OK;
    }
    *ret_copy = strdup(text);
    return *ret_copy == NULL ? err_no_memory(err) : KEYSTAY_OK;
}

/* A path has a '/'; anything else is a name in the system's registry. */
static enum keystay_status read_module_name(const char *name, char **ret_path, struct keystay_error *err)
{
    CLEANUP(freep) struct registry *registry = NULL;
    const char *path = name;

    if (strchr(name, '/') == NULL) {
        TRY(registry_read(&registry, err));
        TRY(registry_find(registry, name, &path, err));
    }
    return copy(path, ret_path, err);
}

/* Without any module the path stays NULL: the engine looks through the registry. */
static enum keystay_status read_module(
    const struct keystay_pkcs11_config *config, struct p11_settings *settings, struct keystay_error *err)
{
    const char *in_uri = p11_uri_module_path(settings->key);
    const char *named_in_uri = p11_uri_module_name(settings->key);
    const char *of_uri = in_uri != NULL ? in_uri : named_in_uri;
    const char *name = config->module != NULL ? config->module : of_uri;

    if ((config->module != NULL && of_uri != NULL && !str_equal(config->module, of_uri)) ||
        (in_uri != NULL && named_in_uri != NULL)) {
        return err_set(
            err, KEYSTAY_E_CONFIG,
            "--module, module-path and module-name in the key URI: more than one is given");
    }
    TRY(copy(config->module_args, &settings->module_args, err));
    return name == NULL ? KEYSTAY_OK : read_module_name(name, &settings->module_path, err);
}

static enum keystay_status read_login(
    const char *word, enum pin_login_when *ret_login, struct keystay_error *err)
{
    static const char *const words[] = {
        [PIN_LOGIN_AUTO] = "auto", [PIN_LOGIN_ALWAYS] = "always", [PIN_LOGIN_NEVER] = "never"
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (word == NULL || str_equal(word, words[i])) {
            *ret_login = (enum pin_login_when)i;
            return KEYSTAY_OK;
        }
    }
    return err_set(err, KEYSTAY_E_CONFIG, "login must be auto, always or never");
}

static enum keystay_status read_pin_source(
    const struct keystay_pkcs11_config *config, struct p11_settings *settings, struct keystay_error *err)
{
    const char *in_uri = p11_uri_pin_source(settings->key);

    if (config->pin_source != NULL && in_uri != NULL) {
        return err_set(err, KEYSTAY_E_CONFIG, "--pin-source and the key URI's pin-source are both given");
    }
    settings->pin.source = (struct pin_source){ .kind = PIN_SOURCE_TTY, .fd = -1 };
    settings->pin.is_configured = config->pin_source != NULL || in_uri != NULL;
    TRY(copy(config->pin_source != NULL ? config->pin_source : in_uri, &settings->pin_text, err));
    if (config->pin_source != NULL) {
        return pin_source_parse(settings->pin_text, &settings->pin.source, err);
    }
    return in_uri != NULL ? pin_source_parse_uri(settings->pin_text, &settings->pin.source, err) : KEYSTAY_OK;
}

static enum keystay_status read_pin(
    const struct keystay_pkcs11_config *config, struct p11_settings *settings, struct keystay_error *err)
{
    unsigned int timeout_s =
        config->interaction_timeout_s == 0 ? INTERACTION_DEFAULT_S : config->interaction_timeout_s;

    TRY(read_pin_source(config, settings, err));
    TRY(read_login(config->login, &settings->pin.login, err));
    TRY(copy(config->state_dir, &settings->state_dir, err));
    settings->pin.final_try = config->pin_final_try != 0;
    settings->pin.count_low_try = config->pin_count_low_try != 0;
    settings->pin.reuse = config->pin_reuse != 0;
    settings->pin.state_dir = settings->state_dir;
    settings->pin.timeout_ms = (int64_t)timeout_s * 1000;
    return KEYSTAY_OK;
}

/*
 * One that is over, or is still to come, may stand beside the one that is used now: that is how they are
 * renewed. Which of them are a key's is known later; that none at all is valid, now.
 */
static enum keystay_status check_certificates(
    const struct p11_settings *settings, int64_t now_s, struct keystay_error *err)
{
    const struct certificate *best = NULL;

    for (size_t i = 0; i < settings->n_certificates; i++) {
        const struct certificate *certificate = settings->certificates[i];
        enum keystay_status status = certificate_check(certificate, now_s, NULL);

        if (status != KEYSTAY_OK && status != KEYSTAY_E_CERTIFICATE) {
            return certificate_check(certificate, now_s, err);
        }
        best = best == NULL || certificate_is_preferred(certificate, best, now_s) ? certificate : best;
    }
    return best == NULL ? KEYSTAY_OK : certificate_check(best, now_s, err);
}

/* Files are read and judged now: what is wrong with them must cost no PIN try. */
static enum keystay_status read_certificates(
    const struct keystay_pkcs11_config *config, struct p11_settings *settings, struct keystay_error *err)
{
    if (config->n_certificates > P11_CERTIFICATES_MAX) {
        return err_set(err, KEYSTAY_E_CONFIG, "more than %d certificates", P11_CERTIFICATES_MAX);
    }
    if (config->n_certificates == 1 && p11_uri_is_uri(config->certificates[0])) {
        return p11_uri_parse(config->certificates[0], P11_URI_CERTIFICATE, &settings->certificate_uri, err);
    }
    for (size_t i = 0; i < config->n_certificates; i++) {
        if (p11_uri_is_uri(config->certificates[i])) {
            return err_set(err, KEYSTAY_E_CONFIG, "a certificate's PKCS#11 URI can only be given alone");
        }
        TRY(certificate_load(config->certificates[i], &settings->certificates[i], err));
        settings->n_certificates++;
    }
    return check_certificates(settings, config->now_s, err);
}

/* What can be refused without the token is refused now. */
static enum keystay_status read_requirements(
    const struct keystay_pkcs11_config *config, struct p11_settings *settings, struct keystay_error *err)
{
    const struct p11_key_proof unproven = { .verdict = ATTESTATION_NO_CA };

    settings->allow_extractable = config->allow_extractable != 0;
    settings->require_generated = config->require_generated != 0;
    settings->require_attested = config->require_attested != 0;
    if (config->n_attestation_cas > 0) {
        return attestation_trust_load(
            config->attestation_cas, config->n_attestation_cas, &settings->attestation_trust, err);
    }
    return settings->require_attested ? choose_check_proof(&unproven, "--require attested", err) : KEYSTAY_OK;
}

enum keystay_status p11_settings_read(
    const struct keystay_pkcs11_config *config, struct p11_settings *settings, struct keystay_error *err)
{
    if (config->key_uri == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "give --key 'pkcs11:token=LABEL;id=%01'", "no key is given");
    }
    TRY(p11_uri_parse(config->key_uri, P11_URI_KEY, &settings->key, err));
    TRY(read_module(config, settings, err));
    TRY(read_pin(config, settings, err));
    TRY(read_requirements(config, settings, err));
    settings->sessions_max = config->sessions == 0 ? SESSIONS_DEFAULT : config->sessions;
    settings->now_s = config->now_s;
    settings->log = config->log;
    settings->watch = config->watch;
    return read_certificates(config, settings, err);
}
