/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SETTING_H
#define CORE_SETTING_H

/*
 * The table of a profile's settings: their names, the values they take, their defaults and their help. The
 * command line parses and prints help from it, the environment and the library read by it. The agent has
 * tables of its own (core/agent_setting), whose settings are keys of the configuration files only.
 */

#include <stdbool.h>

#include "base/base.h"

enum setting_id {
    SETTING_PROVIDER,
    SETTING_AUTHORITY,
    SETTING_TENANT,
    SETTING_ISSUER,
    SETTING_TOKEN_ENDPOINT,
    SETTING_CLIENT_ID,
    SETTING_SUBJECT,
    SETTING_SCOPE,
    SETTING_RESOURCE,
    SETTING_GRANT,
    SETTING_AUDIENCE,
    SETTING_LIFETIME,
    SETTING_BACKDATE,
    SETTING_ALG,
    SETTING_KID,
    SETTING_THUMBPRINT,
    SETTING_X5C,
    SETTING_TYP,
    SETTING_MODULE,
    SETTING_MODULE_ARGS,
    SETTING_KEY,
    SETTING_CERTIFICATE,
    SETTING_LOGIN,
    SETTING_PIN_SOURCE,
    SETTING_PIN_REUSE,
    SETTING_PIN_COUNT_LOW,
    SETTING_PIN_FINAL_TRY,
    SETTING_REQUIRE,
    SETTING_ATTESTATION_CA,
    SETTING_ALLOW_EXTRACTABLE,
    SETTING_ALLOW_HTTP_LOOPBACK,
    SETTING_ENGINE,
    SETTING_ISOLATE,
    SETTING_SIGNER_PROGRAM,
    SETTING_CACERT,
    SETTING_TIMEOUT,
    SETTING_INTERACTION_TIMEOUT,
    SETTING_STATE_DIR,
    SETTING_CACHE,
    SETTING_CAE,
    SETTING_MIN_VALID,
    SETTING_N,
};

enum setting_kind {
    SETTING_TEXT,
    SETTING_CHOICE, /* one of choices */
    SETTING_NUMBER, /* from minimum to maximum */
    SETTING_SWITCH, /* "yes" or "no"; on the command line it takes no value */
};

struct setting {
    const char *name;           /* as on the command line, without dashes; for the agent: the key */
    const char *metavar;        /* what help calls its value; NULL for a switch */
    const char *help;           /* one line */
    const char *fallback;       /* default, or NULL */
    const char *azure;          /* the AZURE_* variable that provider entra reads last, or NULL */
    const char *const *choices; /* NULL-terminated */
    const char *const *words; /* of a SETTING_TEXT: those that a shell may offer, NULL-terminated, or NULL */
    enum setting_kind kind;
    uint32_t minimum;
    uint32_t maximum;
    bool is_list; /* may be given several times; all are kept, in order */

    /* What else is asked of a text, as setting_check has it; or NULL. */
    enum keystay_status (*check)(const struct setting *setting, const char *value, struct keystay_error *err);
};

extern const struct setting setting_rows[SETTING_N];

/* What a section of a configuration file may hold. */
struct setting_table {
    const struct setting *rows;
    size_t n;
    size_t list_max; /* how often a list may be given */
};

/* SETTING_N when there is none. */
enum setting_id setting_find(const char *name);

/* Whether value is one that the setting takes. KEYSTAY_E_CONFIG; a text is not quoted back: it may be a
 * secret. */
enum keystay_status setting_check(enum setting_id id, const char *value, struct keystay_error *err);
enum keystay_status setting_check_row(
    const struct setting *setting, const char *value, struct keystay_error *err);

enum { SETTING_ENV_SIZE = 64 };

/* "KEYSTAY_CLIENT_ID" for client-id. */
void setting_env_name(enum setting_id id, char ret_name[SETTING_ENV_SIZE]);

/* "client_id" for client-id: its key in a configuration file, and the other way round (table->n: none). */
void setting_key_name(const struct setting *setting, char ret_name[SETTING_ENV_SIZE]);
size_t setting_find_key(const struct setting_table *table, const char *key);

#endif
