/* SPDX-License-Identifier: Apache-2.0 */
#include "core/setting.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"

static const char *const providers[] = { "entra", NULL };
static const char *const algs[] = { "auto", "RS256", "PS256", NULL };
static const char *const thumbprints[] = { "auto", "sha256", "sha1", "both", NULL };
static const char *const caches[] = { "none", NULL };

const struct setting settings[SETTING_N] = {
    [SETTING_PROVIDER] = { "provider", "NAME", "kind of authorization server: entra", "entra", NULL,
                           SETTING_CHOICE, providers, 0, 0 },
    [SETTING_AUTHORITY] = { "authority", "URL", "the server's host, if not the public one", NULL,
                            "AZURE_AUTHORITY_HOST", SETTING_TEXT, NULL, 0, 0 },
    [SETTING_TENANT] = { "tenant", "ID", "directory id or one of its domains", NULL, "AZURE_TENANT_ID",
                         SETTING_TEXT, NULL, 0, 0 },
    [SETTING_CLIENT_ID] = { "client-id", "ID", "application (client) id", NULL, "AZURE_CLIENT_ID",
                            SETTING_TEXT, NULL, 0, 0 },
    [SETTING_SCOPE] = { "scope", "SCOPE", "what the token is for, ends in /.default", NULL, NULL,
                        SETTING_TEXT, NULL, 0, 0 },
    [SETTING_RESOURCE] = { "resource", "URI", "the same for the older v1.0 endpoint, instead of --scope",
                           NULL, NULL, SETTING_TEXT, NULL, 0, 0 },
    [SETTING_AUDIENCE] = { "audience", "AUD",
                           "aud of the assertion: auto, issuer, token-endpoint or a literal", "auto", NULL,
                           SETTING_TEXT, NULL, 0, 0 },
    [SETTING_LIFETIME] = { "lifetime", "SECONDS", "life of the assertion, 60 to 86400", "600", NULL,
                           SETTING_NUMBER, NULL, 60, 86400 },
    [SETTING_ALG] = { "alg", "ALG", "auto, RS256 or PS256", "auto", NULL, SETTING_CHOICE, algs, 0, 0 },
    [SETTING_THUMBPRINT] = { "thumbprint", "WHICH",
                             "of the certificate, in the header: auto, sha256, sha1 or both", "auto", NULL,
                             SETTING_CHOICE, thumbprints, 0, 0 },
    [SETTING_MODULE] = { "module", "PATH", "the token's PKCS#11 module", NULL, NULL, SETTING_TEXT, NULL, 0,
                         0 },
    [SETTING_MODULE_ARGS] = { "module-args", "STRING", "argument for modules that want one (NSS)", NULL, NULL,
                              SETTING_TEXT, NULL, 0, 0 },
    [SETTING_KEY] = { "key", "URI", "the key, as 'pkcs11:token=LABEL;id=%01'", NULL, NULL, SETTING_TEXT, NULL,
                      0, 0 },
    [SETTING_CERTIFICATE] = { "certificate", "FILE|URI", "its certificate; left out: found on the token",
                              NULL, NULL, SETTING_TEXT, NULL, 0, 0 },
    [SETTING_PIN_SOURCE] = { "pin-source", "SRC", "file:PATH, fd:N, env:NAME or tty", NULL, NULL,
                             SETTING_TEXT, NULL, 0, 0 },
    [SETTING_PIN_FINAL_TRY] = { "pin-final-try", NULL,
                                "use the PIN even when one more wrong one locks the token", "no", NULL,
                                SETTING_SWITCH, NULL, 0, 0 },
    [SETTING_ALLOW_EXTRACTABLE] = { "allow-extractable", NULL, "accept a key that the token would hand out",
                                    "no", NULL, SETTING_SWITCH, NULL, 0, 0 },
    [SETTING_CACERT] = { "cacert", "FILE", "trust these CAs instead of the system's", NULL, NULL,
                         SETTING_TEXT, NULL, 0, 0 },
    [SETTING_TIMEOUT] = { "timeout", "SECONDS", "for the network, and for each call of the module, 1 to 3600",
                          "30", NULL, SETTING_NUMBER, NULL, 1, 3600 },
    [SETTING_CACHE] = { "cache", "KIND", "where tokens are kept: none, so far", "none", NULL, SETTING_CHOICE,
                        caches, 0, 0 },
};

enum setting_id setting_find(const char *name)
{
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        if (str_equal(settings[id].name, name)) {
            return id;
        }
    }
    return SETTING_N;
}

static enum keystay_status check_choice(
    const struct setting *setting, const char *value, struct keystay_error *err)
{
    for (const char *const *choice = setting->choices; *choice != NULL; choice++) {
        if (str_equal(*choice, value)) {
            return KEYSTAY_OK;
        }
    }
    (void)err_set(err, KEYSTAY_E_CONFIG, "%s must be one of:", setting->name);
    for (const char *const *choice = setting->choices; *choice != NULL; choice++) {
        err_append(err, " %s", *choice);
    }
    return KEYSTAY_E_CONFIG;
}

enum keystay_status setting_check(enum setting_id id, const char *value, struct keystay_error *err)
{
    const struct setting *setting = &settings[id];
    uint64_t number = 0;

    switch (setting->kind) {
    case SETTING_TEXT:
        if (value[0] == '\0') {
            return err_set_hint(
                err, KEYSTAY_E_CONFIG, "leave it out to get the default", "%s is empty", setting->name);
        }
        return KEYSTAY_OK;
    case SETTING_CHOICE:
        return check_choice(setting, value, err);
    case SETTING_NUMBER:
        if (str_parse_u64(value, setting->minimum, setting->maximum, &number, NULL) != KEYSTAY_OK) {
            return err_set(
                err, KEYSTAY_E_CONFIG, "%s must be a whole number from %u to %u", setting->name,
                setting->minimum, setting->maximum);
        }
        return KEYSTAY_OK;
    case SETTING_SWITCH:
        if (!str_equal(value, "yes") && !str_equal(value, "no")) {
            return err_set(err, KEYSTAY_E_CONFIG, "%s must be yes or no", setting->name);
        }
        return KEYSTAY_OK;
    }
    return err_set(err, KEYSTAY_E_INTERNAL, "a setting of no kind");
}

void setting_env_name(enum setting_id id, char ret_name[SETTING_ENV_SIZE])
{
    (void)snprintf(ret_name, SETTING_ENV_SIZE, "KEYSTAY_%s", settings[id].name);
    for (char *c = ret_name; *c != '\0'; c++) {
        if (*c == '-') {
            *c = '_';
        } else if (*c >= 'a' && *c <= 'z') {
            *c = (char)(*c - 'a' + 'A');
        }
    }
}
