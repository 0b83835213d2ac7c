/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine that signs by default: straight on Cryptoki, with as few calls as a safe signature needs.
 *
 * Order matters: whatever can be refused without the token is refused before the module is loaded, whatever
 * can be refused without the PIN before it is read, and the PIN is sent once. The key's and the certificate's
 * fitness is known before anything is signed.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "keystay/pkcs11.h"
#include "pkcs11/cryptoki/certificate.h"
#include "pkcs11/cryptoki/key.h"
#include "pkcs11/cryptoki/login.h"
#include "pkcs11/cryptoki/mechanism.h"
#include "pkcs11/cryptoki/slot.h"
#include "pkcs11/rv.h"
#include "signer/signer.h"

enum { WHERE_SIZE = 200 };

struct cryptoki_signer {
    struct keystay_signer base; /* first: the signer interface casts */
    struct p11_module module;
    struct p11_token token;
    struct p11_session session;
    struct p11_key key;
    struct mechanism_list mechanisms;
    const struct keystay_log *log;
    pthread_mutex_t lock; /* held from C_SignInit to C_Sign: a session does one operation at a time */
    char *module_path;
    char where[WHERE_SIZE];
};

/* The parsed settings, before any call into a module. */
struct settings {
    struct p11_uri *key;
    struct p11_uri *certificate_uri; /* NULL: none, or a file */
    struct certificate *certificate; /* NULL: on the token */
    char *module_path;               /* owned */
    struct pin_source pin;
    bool has_pin;
};

static void settings_clear(struct settings *settings)
{
    p11_uri_free(settings->key);
    p11_uri_free(settings->certificate_uri);
    certificate_free(settings->certificate);
    free(settings->module_path);
}

static enum keystay_status read_module_path(
    const struct keystay_pkcs11_config *config, struct settings *settings, struct keystay_error *err)
{
    const char *in_uri = p11_uri_module_path(settings->key);

    if (config->module != NULL && in_uri != NULL && !str_equal(config->module, in_uri)) {
        return err_set(err, KEYSTAY_E_CONFIG, "--module and the key URI's module-path name different files");
    }
    const char *path = config->module != NULL ? config->module : in_uri;
    if (path == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG,
            "give --module the token's PKCS#11 library, such as .../libsofthsm2.so or .../opensc-pkcs11.so",
            "no PKCS#11 module is given");
    }
    settings->module_path = strdup(path);
    return settings->module_path == NULL ? err_no_memory(err) : KEYSTAY_OK;
}

static enum keystay_status read_pin_source(
    const struct keystay_pkcs11_config *config, struct settings *settings, struct keystay_error *err)
{
    const char *in_uri = p11_uri_pin_source(settings->key);

    if (config->pin_source != NULL && in_uri != NULL) {
        return err_set(err, KEYSTAY_E_CONFIG, "--pin-source and the key URI's pin-source are both given");
    }
    settings->has_pin = config->pin_source != NULL || in_uri != NULL;
    if (config->pin_source != NULL) {
        return pin_source_parse(config->pin_source, &settings->pin, err);
    }
    return in_uri != NULL ? pin_source_parse_uri(in_uri, &settings->pin, err) : KEYSTAY_OK;
}

static enum keystay_status read_certificate(
    const struct keystay_pkcs11_config *config, struct settings *settings, struct keystay_error *err)
{
    if (config->certificate == NULL) {
        return KEYSTAY_OK;
    }
    if (p11_uri_is_uri(config->certificate)) {
        return p11_uri_parse(config->certificate, P11_URI_CERTIFICATE, &settings->certificate_uri, err);
    }
    TRY(certificate_load(config->certificate, &settings->certificate, err));
    return certificate_check(settings->certificate, config->now_s, err);
}

static enum keystay_status read_settings(
    const struct keystay_pkcs11_config *config, struct settings *settings, struct keystay_error *err)
{
    if (config->key_uri == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "give --key 'pkcs11:token=LABEL;id=%01'", "no key is given");
    }
    TRY(p11_uri_parse(config->key_uri, P11_URI_KEY, &settings->key, err));
    TRY(read_module_path(config, settings, err));
    TRY(read_pin_source(config, settings, err));
    return read_certificate(config, settings, err);
}

static enum keystay_status open_session(struct cryptoki_signer *signer, struct keystay_error *err)
{
    CK_SESSION_HANDLE handle = 0;

    (void)snprintf(
        signer->where, sizeof(signer->where), "token '%s' (serial %s)", signer->token.label,
        signer->token.serial[0] == '\0' ? "unknown" : signer->token.serial);
    CK_RV rv =
        P11(&signer->module, C_OpenSession, signer->token.slot, CKF_SERIAL_SESSION, NULL, NULL, &handle);
    if (rv != CKR_OK) {
        return rv_error(rv, "C_OpenSession", signer->where, err);
    }
    signer->session = (struct p11_session){ &signer->module, handle, signer->where };
    return KEYSTAY_OK;
}

static enum keystay_status settle_certificate(
    const struct keystay_pkcs11_config *config, struct settings *settings, struct cryptoki_signer *signer,
    struct keystay_error *err)
{
    if (settings->certificate != NULL) {
        signer->base.certificate = take_ptr(&settings->certificate);
        return token_certificate_check_key(&signer->session, &signer->key, signer->base.certificate, err);
    }
    TRY(token_certificate_find(
        &signer->session, &signer->key, settings->certificate_uri, &signer->base.certificate, err));
    return certificate_check(signer->base.certificate, config->now_s, err);
}

static enum keystay_status settle_algorithms(struct cryptoki_signer *signer, struct keystay_error *err)
{
    TRY(mechanism_list_read(&signer->session, signer->token.slot, &signer->key, &signer->mechanisms, err));
    signer->base.algs = mechanism_algs(&signer->mechanisms, signer->key.type);
    if (signer->base.algs == 0) {
        return err_set_hint(
            err, KEYSTAY_E_ALGORITHM, "keystay signs with RSA keys of 2048 bits and more",
            "%s: it offers no mechanism to sign an assertion with the key id=%s '%s'", signer->where,
            signer->key.id_text, signer->key.label);
    }
    return KEYSTAY_OK;
}

static void fill_info(struct cryptoki_signer *signer)
{
    const struct certificate *certificate = signer->base.certificate;

    signer->base.info = (struct keystay_signer_info){
        .module = signer->module_path,
        .token_label = signer->token.label,
        .token_serial = signer->token.serial,
        .key_label = signer->key.label,
        .key_uri_id = signer->key.id_text,
        .subject = certificate_subject(certificate),
        .key_bits = public_key_bits(certificate_public_key(certificate)),
        .not_after_s = certificate_not_after_s(certificate),
    };
}

static void log_choice(const struct cryptoki_signer *signer)
{
    char time[CLOCK_TEXT_SIZE];

    clock_format_utc(signer->base.info.not_after_s, time);
    log_step(
        signer->log, "%s: key id=%s '%s', %u bits", signer->where, signer->key.id_text, signer->key.label,
        signer->base.info.key_bits);
    log_step(signer->log, "certificate '%s', valid until %s", signer->base.info.subject, time);
}

/* From the first call into the module to a key that may sign. */
static enum keystay_status connect(
    const struct keystay_pkcs11_config *config, struct settings *settings, struct cryptoki_signer *signer,
    struct keystay_error *err)
{
    TRY(module_open(signer->module_path, config->module_args, config->watch, &signer->module, err));
    log_step(signer->log, "module '%s' is loaded", signer->module_path);
    TRY(slot_find_token(&signer->module, signer->module_path, settings->key, &signer->token, err));
    TRY(open_session(signer, err));
    TRY(login_user(
        &signer->session, &signer->token, settings->has_pin ? &settings->pin : NULL,
        config->pin_final_try != 0, signer->log, err));
    TRY(key_find(&signer->session, settings->key, &signer->key, err));
    TRY(choose_check_claims(&signer->key.claims, config->allow_extractable != 0, signer->where, err));
    TRY(settle_certificate(config, settings, signer, err));
    TRY(settle_algorithms(signer, err));
    fill_info(signer);
    log_choice(signer);
    return KEYSTAY_OK;
}

static enum keystay_status sign_locked(
    struct cryptoki_signer *signer, struct mechanism_call *call, uint8_t signature[SIGNER_SIGNATURE_MAX],
    CK_ULONG *ret_len, struct keystay_error *err)
{
    const struct p11_session *session = &signer->session;
    CK_ULONG len = SIGNER_SIGNATURE_MAX;
    CK_RV rv = P11(session->module, C_SignInit, session->handle, &call->mechanism, signer->key.handle);

    if (rv != CKR_OK) {
        return rv_error(rv, "C_SignInit", session->where, err);
    }
    rv =
        P11(session->module, C_Sign, session->handle, call->input.data, (CK_ULONG)call->input.len, signature,
            &len);
    if (rv != CKR_OK) {
        return rv_error(rv, "C_Sign", session->where, err);
    }
    if (len > SIGNER_SIGNATURE_MAX) {
        return err_set(
            err, KEYSTAY_E_MODULE, "%s: C_Sign claims a signature of %lu bytes", session->where, len);
    }
    *ret_len = len;
    return KEYSTAY_OK;
}

static enum keystay_status engine_sign(
    struct keystay_signer *base, const struct tbs *tbs, struct buf *ret_signature, struct keystay_error *err)
{
    struct cryptoki_signer *signer = (struct cryptoki_signer *)base;
    CLEANUP(mechanism_call_clear) struct mechanism_call call = { 0 };
    uint8_t signature[SIGNER_SIGNATURE_MAX];
    CK_ULONG len = 0;

    TRY(mechanism_prepare(&signer->mechanisms, alg_by_id(tbs->alg), tbs->input, &call, err));
    (void)pthread_mutex_lock(&signer->lock);
    enum keystay_status status = sign_locked(signer, &call, signature, &len, err);
    (void)pthread_mutex_unlock(&signer->lock);
    TRY(status);
    log_step(
        signer->log, "%s: signed %s with mechanism 0x%lX", signer->where, alg_by_id(tbs->alg)->name,
        call.mechanism.mechanism);
    return buf_put(ret_signature, (struct slice){ signature, len }, err);
}

static void engine_close(struct keystay_signer *base)
{
    struct cryptoki_signer *signer = (struct cryptoki_signer *)base;

    module_close(&signer->module);
    certificate_free(base->certificate);
    (void)pthread_mutex_destroy(&signer->lock);
    free(signer->module_path);
    free(signer);
}

static const struct signer_ops engine_ops = { engine_sign, engine_close };

enum keystay_status keystay_pkcs11_open(
    const struct keystay_pkcs11_config *config, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    CLEANUP(settings_clear) struct settings settings = { 0 };
    CLEANUP(signer_freep) struct keystay_signer *opened = NULL;

    TRY(read_settings(config, &settings, err));
    struct cryptoki_signer *signer = calloc(1, sizeof(*signer));
    if (signer == NULL) {
        return err_no_memory(err);
    }
    opened = &signer->base;
    opened->ops = &engine_ops;
    signer->log = config->log;
    (void)pthread_mutex_init(&signer->lock, NULL);
    signer->module_path = take_ptr(&settings.module_path);
    TRY(connect(config, &settings, signer, err));
    *ret_signer = take_ptr(&opened);
    return KEYSTAY_OK;
}
