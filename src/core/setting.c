/* SPDX-License-Identifier: Apache-2.0 */
#include "core/setting.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "oauth/provider.h"

static const char *const grants[] = { "auto", "client-credentials", "jwt-bearer", NULL };
static const char *const typs[] = { "auto", "none", "JWT", "client-authentication+jwt", NULL };
static const char *const algs[] = { "auto",  "RS256", "RS384", "RS512", "PS256",
                                    "PS384", "PS512", "ES256", "ES384", NULL };
static const char *const logins[] = { "auto", "always", "never", NULL };
static const char *const count_lows[] = { "refuse", "try", NULL };
static const char *const engines[] = { "cryptoki", "libp11", NULL };
static const char *const requires[] = { "none", "generated-on-token", "attested", NULL };
static const char *const thumbprints[] = { "auto", "sha256", "sha1", "both", NULL };
static const char *const audiences[] = { "auto", "issuer", "token-endpoint", NULL };
static const char *const kids[] = { "auto", "none", "jwk", "sha1", "sha256", "sha1-hex", "sha256-hex", NULL };
static const char *const pin_sources[] = { "file:",    "fd:", "env:", "credential:", "exec:",
                                           "pinentry", "tty", "none", NULL };
static const char *const caches[] = { "runtime", "none", NULL };

const struct setting setting_rows[SETTING_N] = {
    [SETTING_PROVIDER] = { .name = "provider",
                           .metavar = "NAME",
                           .kind = SETTING_CHOICE,
                           .choices = provider_names,
                           .fallback = "entra",
                           .help = "entra, adfs, oidc, keycloak, okta, auth0, google-sa or maskinporten" },
    [SETTING_AUTHORITY] = { .name = "authority",
                            .metavar = "URL",
                            .azure = "AZURE_AUTHORITY_HOST",
                            .help = "the server's host, if not the public one" },
    [SETTING_TENANT] = { .name = "tenant",
                         .metavar = "ID",
                         .azure = "AZURE_TENANT_ID",
                         .help = "directory id or one of its domains" },
    [SETTING_ISSUER] = { .name = "issuer",
                         .metavar = "URL",
                         .help = "the server's issuer, exactly as the server writes it" },
    [SETTING_TOKEN_ENDPOINT] = { .name = "token-endpoint",
                                 .metavar = "URL",
                                 .help = "where tokens are asked for, if the provider's rule does not fit" },
    [SETTING_CLIENT_ID] = { .name = "client-id",
                            .metavar = "ID",
                            .azure = "AZURE_CLIENT_ID",
                            .help = "application (client) id" },
    [SETTING_SUBJECT] = { .name = "subject",
                          .metavar = "NAME",
                          .help = "whom the client asks for, where the provider has that" },
    [SETTING_SCOPE] = { .name = "scope",
                        .metavar = "SCOPE",
                        .help = "what the token is for; with Entra it ends in /.default" },
    [SETTING_RESOURCE] = { .name = "resource",
                           .metavar = "URI",
                           .help = "what it is for, as a resource; with Entra instead of --scope" },
    [SETTING_GRANT] = { .name = "grant",
                        .metavar = "GRANT",
                        .kind = SETTING_CHOICE,
                        .choices = grants,
                        .fallback = "auto",
                        .help = "for provider oidc: client-credentials or jwt-bearer" },
    [SETTING_AUDIENCE] = { .name = "audience",
                           .metavar = "AUD",
                           .words = audiences,
                           .fallback = "auto",
                           .help = "aud of the assertion: auto, issuer, token-endpoint or a literal" },
    [SETTING_LIFETIME] = { .name = "lifetime",
                           .metavar = "SECONDS",
                           .kind = SETTING_NUMBER,
                           .minimum = 60,
                           .maximum = 86400,
                           .help = "life of the assertion, 60 to 86400; left out: the provider's" },
    [SETTING_BACKDATE] = { .name = "backdate",
                           .metavar = "SECONDS",
                           .kind = SETTING_NUMBER,
                           .maximum = 3600,
                           .fallback = "0",
                           .help = "how long ago the assertion says it was made, 0 to 3600" },
    [SETTING_ALG] = { .name = "alg",
                      .metavar = "ALG",
                      .kind = SETTING_CHOICE,
                      .choices = algs,
                      .fallback = "auto",
                      .help = "auto, RS256, PS256, ES256, or one of these with 384 or (RSA) 512" },
    [SETTING_KID] = { .name = "kid",
                      .metavar = "KID",
                      .words = kids,
                      .fallback = "auto",
                      .help = "key id: auto, none, jwk, sha1, sha256, sha1-hex, sha256-hex or a literal" },
    [SETTING_THUMBPRINT] = { .name = "thumbprint",
                             .metavar = "WHICH",
                             .kind = SETTING_CHOICE,
                             .choices = thumbprints,
                             .fallback = "auto",
                             .help = "of the certificate, in the header: auto, sha256, sha1 or both" },
    [SETTING_X5C] = { .name = "x5c",
                      .kind = SETTING_SWITCH,
                      .fallback = "no",
                      .help = "put the certificate itself into the header" },
    [SETTING_TYP] = { .name = "typ",
                      .metavar = "TYP",
                      .kind = SETTING_CHOICE,
                      .choices = typs,
                      .fallback = "auto",
                      .help = "typ in the header: auto, none, JWT or client-authentication+jwt" },
    [SETTING_MODULE] = { .name = "module",
                         .metavar = "PATH",
                         .help = "the token's PKCS#11 module, or its name in the system's registry" },
    [SETTING_MODULE_ARGS] = { .name = "module-args",
                              .metavar = "STRING",
                              .help = "argument for modules that want one (NSS)" },
    [SETTING_KEY] = { .name = "key",
                      .metavar = "URI",
                      .is_list = true,
                      .help = "the key, as 'pkcs11:token=LABEL;id=%01'; again for one to fall back to" },
    [SETTING_CERTIFICATE] = { .name = "certificate",
                              .metavar = "FILE|URI",
                              .is_list = true,
                              .help =
                                  "its certificate, or several to choose from; left out: found on the token" },
    [SETTING_LOGIN] = { .name = "login",
                        .metavar = "WHEN",
                        .kind = SETTING_CHOICE,
                        .choices = logins,
                        .fallback = "auto",
                        .help = "log in to the token: auto, always or never" },
    [SETTING_PIN_SOURCE] = { .name = "pin-source",
                             .metavar = "SRC",
                             .words = pin_sources,
                             .help =
                                 "file:PATH, fd:N, env:NAME, credential:NAME, exec:COMMAND, pinentry, tty, none" },
    [SETTING_PIN_REUSE] = { .name = "pin-reuse",
                            .kind = SETTING_SWITCH,
                            .fallback = "no",
                            .help =
                                "give the PIN of the login again to a key that wants it for each signature" },
    [SETTING_PIN_COUNT_LOW] = { .name = "pin-count-low",
                                .metavar = "WHAT",
                                .kind = SETTING_CHOICE,
                                .choices = count_lows,
                                .fallback = "refuse",
                                .help =
                                    "an unattended PIN when the token has counted a wrong one: refuse or try" },
    [SETTING_PIN_FINAL_TRY] = { .name = "pin-final-try",
                                .kind = SETTING_SWITCH,
                                .fallback = "no",
                                .help = "use the PIN even when one more wrong one locks the token" },
    [SETTING_REQUIRE] = { .name = "require",
                          .metavar = "LEVEL",
                          .kind = SETTING_CHOICE,
                          .choices = requires,
                          .fallback = "none",
                          .help = "what must be known of the key: none, generated-on-token or attested" },
    [SETTING_ATTESTATION_CA] = { .name = "attestation-ca",
                                 .metavar = "FILE",
                                 .is_list = true,
                                 .help = "whose attestations of keys to believe: CA certificates in PEM" },
    [SETTING_ALLOW_EXTRACTABLE] = { .name = "allow-extractable",
                                    .kind = SETTING_SWITCH,
                                    .fallback = "no",
                                    .help = "accept a key that the token would hand out" },
    [SETTING_ALLOW_HTTP_LOOPBACK] = { .name = "allow-http-loopback",
                                      .kind = SETTING_SWITCH,
                                      .fallback = "no",
                                      .help = "let the server be plain http on this machine: for tests" },
    [SETTING_ENGINE] = { .name = "engine",
                         .metavar = "NAME",
                         .kind = SETTING_CHOICE,
                         .choices = engines,
                         .fallback = "cryptoki",
                         .help = "what drives the module: cryptoki, or libp11, which is always isolated" },
    [SETTING_ISOLATE] = { .name = "isolate",
                          .kind = SETTING_SWITCH,
                          .fallback = "no",
                          .help = "load the module into a process of its own" },
    [SETTING_SIGNER_PROGRAM] = { .name = "signer-program",
                                 .metavar = "FILE",
                                 .help = "that process, if it is not where keystay was installed" },
    [SETTING_CACERT] = { .name = "cacert",
                         .metavar = "FILE",
                         .help = "trust these CAs instead of the system's" },
    [SETTING_TIMEOUT] = { .name = "timeout",
                          .metavar = "SECONDS",
                          .kind = SETTING_NUMBER,
                          .minimum = 1,
                          .maximum = 3600,
                          .fallback = "30",
                          .help = "for the network, and for each call of the module, 1 to 3600" },
    [SETTING_INTERACTION_TIMEOUT] = { .name = "interaction-timeout",
                                      .metavar = "SECONDS",
                                      .kind = SETTING_NUMBER,
                                      .minimum = 1,
                                      .maximum = 3600,
                                      .fallback = "60",
                                      .help = "for a person or a program to give the PIN" },
    [SETTING_STATE_DIR] = { .name = "state-dir",
                            .metavar = "DIR",
                            .help = "where refused PINs are remembered" },
    [SETTING_CACHE] = { .name = "cache",
                        .metavar = "KIND",
                        .kind = SETTING_CHOICE,
                        .choices = caches,
                        .fallback = "runtime",
                        .help = "where tokens are kept: runtime ($XDG_RUNTIME_DIR) or none" },
    [SETTING_CAE] = { .name = "cae",
                      .kind = SETTING_SWITCH,
                      .fallback = "no",
                      .help =
                          "say that claims challenges are understood: longer tokens that can be revoked" },
    [SETTING_MIN_VALID] = { .name = "min-valid",
                            .metavar = "SECONDS",
                            .kind = SETTING_NUMBER,
                            .minimum = 0,
                            .maximum = 86400,
                            .fallback = "300",
                            .help = "how long the access token must still live, 0 to 86400" },
};

enum setting_id setting_find(const char *name)
{
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        if (str_equal(setting_rows[id].name, name)) {
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

enum keystay_status setting_check_row(
    const struct setting *setting, const char *value, struct keystay_error *err)
{
    uint64_t number = 0;

    switch (setting->kind) {
    case SETTING_TEXT:
        if (value[0] == '\0') {
            return err_set_hint(
                err, KEYSTAY_E_CONFIG, "leave it out to get the default", "%s is empty", setting->name);
        }
        return setting->check == NULL ? KEYSTAY_OK : setting->check(setting, value, err);
    case SETTING_CHOICE:
        return check_choice(setting, value, err);
    case SETTING_NUMBER:
        if (str_parse_u64(value, setting->minimum, setting->maximum, &number, NULL) != KEYSTAY_OK) {
            const bool is_time = setting->metavar != NULL && str_equal(setting->metavar, "SECONDS");

            return err_set_hint(
                err, KEYSTAY_E_CONFIG, is_time ? "write seconds, without a unit: ten minutes are 600" : "",
                "%s must be a whole number from %u to %u", setting->name, setting->minimum, setting->maximum);
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

enum keystay_status setting_check(enum setting_id id, const char *value, struct keystay_error *err)
{
    return setting_check_row(&setting_rows[id], value, err);
}

void setting_env_name(enum setting_id id, char ret_name[SETTING_ENV_SIZE])
{
    (void)snprintf(ret_name, SETTING_ENV_SIZE, "KEYSTAY_%s", setting_rows[id].name);
    for (char *c = ret_name; *c != '\0'; c++) {
        if (*c == '-') {
            *c = '_';
        } else if (*c >= 'a' && *c <= 'z') {
            *c = (char)(*c - 'a' + 'A');
        }
    }
}

void setting_key_name(const struct setting *setting, char ret_name[SETTING_ENV_SIZE])
{
    (void)snprintf(ret_name, SETTING_ENV_SIZE, "%s", setting->name);
    for (char *c = strchr(ret_name, '-'); c != NULL; c = strchr(c, '-')) {
        *c = '_';
    }
}

size_t setting_find_key(const struct setting_table *table, const char *key)
{
    char name[SETTING_ENV_SIZE];
    size_t i = 0;

    for (; i < table->n; i++) {
        setting_key_name(&table->rows[i], name);
        if (str_equal(name, key)) {
            break;
        }
    }
    return i;
}
