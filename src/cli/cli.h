/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* What the files of the program share: a parsed command line, and the commands. */

#include <stdbool.h>

#include "base/base.h"
#include "core/config.h"
#include "keystay/log.h"

/* Options that are no settings of a profile. */
enum cli_option_id {
    CLI_FORMAT, /* of a token */
    CLI_CLAIMS,
    CLI_CLAIMS_CHALLENGE,
    CLI_LIST_FORMAT, /* of a list; also --format */
    CLI_ISSUER,      /* this one and those up to CLI_LEEWAY: what a token must be to be verified */
    CLI_JWKS,
    CLI_CERTIFICATE,
    CLI_AUDIENCE,
    CLI_ANY_AUDIENCE,
    CLI_TYP,
    CLI_LEEWAY,
    CLI_TYPE, /* this one and those up to CLI_CERTIFICATES: a key that is made or deleted */
    CLI_LABEL,
    CLI_ID,
    CLI_REPLACE,
    CLI_YES,
    CLI_CERTIFICATES,
    CLI_KEY_IN, /* also --in; this one and those up to CLI_WITH_CERTIFICATE: a key from a file */
    CLI_PASSWORD_SOURCE,
    CLI_WITH_CERTIFICATE,
    CLI_SUBJECT, /* this one and those up to CLI_OUT: a certificate that is made */
    CLI_SAN,
    CLI_DAYS,
    CLI_NOT_AFTER,
    CLI_STORE,
    CLI_OUT,
    CLI_IN,
    CLI_EXPORT_FORMAT, /* also --format */
    CLI_WITHIN,
    CLI_OFFLINE,
    CLI_AGENT,
    CLI_CONFIG,
    CLI_VERBOSE,
    CLI_QUIET,
    CLI_ERROR_FORMAT,
    CLI_HELP,
    CLI_VERSION,
    CLI_OPTION_N,
};

struct cli_option {
    const char *name;
    char letter;         /* 0: none */
    const char *metavar; /* NULL: takes no value */
    const char *help;
    const char *const *choices; /* NULL-terminated; NULL: anything */
};

extern const struct cli_option cli_options[CLI_OPTION_N];

#define OPTION_BIT(id) (UINT64_C(1) << (id))

/* Those of every command: OPTION_BIT of each. */
extern const uint64_t cli_global_options;

enum { CLI_ARGUMENTS_MAX = 2 };

struct command;

/* A command line, parsed. */
struct cli {
    const struct command *command;            /* NULL until it is known */
    struct keystay_profile *profile;          /* owned */
    const char *values[CLI_OPTION_N];         /* from argv; a flag's is "" */
    const char *arguments[CLI_ARGUMENTS_MAX]; /* what stands after the options, or NULL */
    char *const *words;                       /* of a command that takes_words: what stands after "--" */
    struct config config;                     /* owned; once settings_config has read it */
    bool has_config;
    struct keystay_log log;
};

#define SETTING_BIT(id) (UINT64_C(1) << (id))

/* Those that choose a module, a token, a key and its PIN: of commands that ask no server. */
#define CLI_TOKEN_SETTINGS                                                                               \
    (SETTING_BIT(SETTING_MODULE) | SETTING_BIT(SETTING_MODULE_ARGS) | SETTING_BIT(SETTING_KEY) |         \
     SETTING_BIT(SETTING_LOGIN) | SETTING_BIT(SETTING_PIN_SOURCE) | SETTING_BIT(SETTING_PIN_COUNT_LOW) | \
     SETTING_BIT(SETTING_PIN_FINAL_TRY) | SETTING_BIT(SETTING_TIMEOUT) |                                 \
     SETTING_BIT(SETTING_INTERACTION_TIMEOUT) | SETTING_BIT(SETTING_STATE_DIR))

struct command {
    const char *name;
    const char *arguments; /* as usage shows them */
    const char *summary;
    const char *help; /* paragraphs for `keystay help NAME`, ending in an example */
    bool has_settings;
    bool holds_secrets;     /* though it has no settings: no core file, memory that wipes itself */
    uint64_t only_settings; /* SETTING_BIT of those that it has; 0: all */
    bool takes_profile;     /* the first word after the options names one; then it has settings */
    bool asks_an_agent;     /* it has settings, and reads them (settings_read) when no agent does */
    bool takes_words;       /* after "--" comes a command line of its own */
    int arguments_max;      /* words after the options */
    uint64_t options;       /* OPTION_BIT of those that it has */
    enum keystay_status (*run)(struct cli *cli, struct keystay_error *err);
};

/* SETTING_BIT of each setting that a command has. */
uint64_t cli_settings_of(const struct command *command);

/* The commands, in the order of help; cli_find_command gives NULL for an unknown name. */
extern const struct command *const cli_commands[];
extern const size_t cli_n_commands;
const struct command *cli_find_command(const char *name);

/* Whether the command's first word is group, and it has a second one; whether there is such a command. */
bool cli_is_of_group(const struct command *command, const char *group);
bool cli_is_group(const char *name);

extern const struct command command_token;
extern const struct command command_assertion;
extern const struct command command_key_list;
extern const struct command command_key_show;
extern const struct command command_key_generate;
extern const struct command command_key_import;
extern const struct command command_key_delete;
extern const struct command command_cert_create;
extern const struct command command_cert_request;
extern const struct command command_cert_import;
extern const struct command command_cert_export;
extern const struct command command_cert_show;
extern const struct command command_cert_status;
extern const struct command command_doctor;
extern const struct command command_pin_forget;
extern const struct command command_profile_list;
extern const struct command command_profile_show;
extern const struct command command_cache_clear;
extern const struct command command_jwt_decode;
extern const struct command command_jwt_verify;
extern const struct command command_agent_run;
extern const struct command command_agent_status;
extern const struct command command_agent_reload;
extern const struct command command_agent_forget;
extern const struct command command_agent_lock;
extern const struct command command_agent_unlock;
extern const struct command command_agent_stop;
extern const struct command command_exec;
extern const struct command command_completion_bash;
extern const struct command command_completion_zsh;
extern const struct command command_completion_fish;
extern const struct command command_help;
extern const struct command command_version;

bool cli_given(const struct cli *cli, enum cli_option_id id);

#endif
