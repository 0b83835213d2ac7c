/* SPDX-License-Identifier: Apache-2.0 */
/* getopt_long does the parsing; the two tables, settings and cli_options, say what there is. */
#include "cli/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "base/suggest.h"

enum {
    SETTING_BASE = 1000,
    OPTION_BASE = 2000,
    LONG_MAX_N = (int)SETTING_N + (int)CLI_OPTION_N + 1,
    NAMES_MAX = LONG_MAX_N
};

static const char *const text_or_json[] = { "text", "json", NULL };
static const char *const agent_uses[] = { "auto", "never", "always", NULL };
static const char *const token_formats[] = {
    "raw", "json", "header", "env", "curl", "exec-credential", NULL
};

static const char *const certificate_formats[] = { "pem",        "der",  "base64",
                                                   "jwk",        "jwks", "key-credential",
                                                   "thumbprint", NULL };
static const char *const key_types[] = { "rsa:2048", "rsa:3072", "rsa:4096", "ec:P-256", "ec:P-384", NULL };

const struct cli_option cli_options[CLI_OPTION_N] = {
    [CLI_FORMAT] = { "format", 0, "FORMAT", "raw, json, header, env, curl or exec-credential; raw",
                     token_formats },
    [CLI_CLAIMS] = { "claims", 0, "JSON", "a new token with these claims, in place of the one that is kept",
                     NULL },
    [CLI_CLAIMS_CHALLENGE] = { "claims-challenge", 0, "HEADER",
                               "the same, as a resource's WWW-Authenticate header asks for it", NULL },
    [CLI_LIST_FORMAT] = { "format", 0, "FORMAT", "text or json; text", text_or_json },
    [CLI_ISSUER] = { "issuer", 0, "URL", "iss must be this; the keys are its own, unless others are given",
                     NULL },
    [CLI_JWKS] = { "jwks", 0, "FILE", "the keys: a JWK set, or one JWK", NULL },
    [CLI_CERTIFICATE] = { "certificate", 0, "FILE", "the key: that of this certificate", NULL },
    [CLI_AUDIENCE] = { "audience", 0, "AUD", "aud must be this, or hold it", NULL },
    [CLI_ANY_AUDIENCE] = { "any-audience", 0, NULL, "whom the token is for does not matter", NULL },
    [CLI_TYP] = { "typ", 0, "TYP", "typ must be this, such as at+jwt", NULL },
    [CLI_LEEWAY] = { "leeway", 0, "SECONDS", "how far clocks may be apart, 0 to 300; 60", NULL },
    [CLI_TYPE] = { "type", 0, "TYPE", "rsa:2048, rsa:3072, rsa:4096, ec:P-256 or ec:P-384; rsa:2048",
                   key_types },
    [CLI_LABEL] = { "label", 0, "TEXT", "the new key's label, the object= of a URI", NULL },
    [CLI_ID] = { "id", 0, "HEX", "the new key's id, such as 01 or %01; the first that is free", NULL },
    [CLI_REPLACE] = { "replace", 0, NULL,
                      "a key that has this id or label is removed when the new one is there", NULL },
    [CLI_YES] = { "yes", 0, NULL, "do not ask", NULL },
    [CLI_CERTIFICATES] = { "certificates", 0, NULL, "the key's certificates on the token, too", NULL },
    [CLI_KEY_IN] = { "in", 0, "FILE", "the key: PFX, PEM or PKCS #8 in DER", NULL },
    [CLI_PASSWORD_SOURCE] = { "password-source", 0, "SRC",
                              "of the file: file:PATH, fd:N, env:NAME, credential:NAME, exec:COMMAND, tty; tty",
                              NULL },
    [CLI_WITH_CERTIFICATE] = { "with-certificate", 0, NULL, "the key's certificate in that file, too", NULL },
    [CLI_SUBJECT] = { "subject", 0, "DN", "whose it is, such as 'CN=backup,O=Contoso'", NULL },
    [CLI_SAN] = { "san", 0, "LIST", "further names: dns:NAME, uri:URI, email:ADDRESS, with commas between",
                  NULL },
    [CLI_DAYS] = { "days", 0, "N", "how long it is valid, 1 to 3650; 365", NULL },
    [CLI_NOT_AFTER] = { "not-after", 0, "DATE", "or until when: 2027-12-31, or 2027-12-31T12:00:00Z", NULL },
    [CLI_STORE] = { "store", 0, NULL, "put it onto the token, beside its key", NULL },
    [CLI_OUT] = { "out", 0, "FILE", "into this new file; stdout", NULL },
    [CLI_IN] = { "in", 0, "FILE", "the certificate, in PEM or DER", NULL },
    [CLI_EXPORT_FORMAT] = { "format", 0, "FORMAT",
                            "pem, der, base64, jwk, jwks, key-credential or thumbprint; pem",
                            certificate_formats },
    [CLI_WITHIN] = { "within", 0, "DAYS", "1 is the exit status when one ends so soon, 0 to 3650; 30", NULL },
    [CLI_OFFLINE] = { "offline", 0, NULL, "look at nothing that is behind the network", NULL },
    [CLI_AGENT] = { "agent", 0, "WHEN", "whether a running agent is asked: auto, never or always; auto",
                    agent_uses },
    [CLI_CONFIG] = { "config", 0, "FILE", "read this configuration file instead of the usual ones", NULL },
    [CLI_VERBOSE] = { "verbose", 'v', NULL, "say each step on stderr", NULL },
    [CLI_QUIET] = { "quiet", 'q', NULL, "no warnings; errors are still said", NULL },
    [CLI_ERROR_FORMAT] = { "error-format", 0, "FORMAT", "errors as text or json; text", text_or_json },
    [CLI_HELP] = { "help", 'h', NULL, "show this help", NULL },
    [CLI_VERSION] = { "version", 'V', NULL, "show the version", NULL },
};

/* Given twice they are an error; of others the last counts. */
static const uint64_t once_options =
    OPTION_BIT(CLI_ISSUER) | OPTION_BIT(CLI_JWKS) | OPTION_BIT(CLI_CERTIFICATE) | OPTION_BIT(CLI_AUDIENCE) |
    OPTION_BIT(CLI_TYP) | OPTION_BIT(CLI_LEEWAY) | OPTION_BIT(CLI_TYPE) | OPTION_BIT(CLI_LABEL) |
    OPTION_BIT(CLI_ID) | OPTION_BIT(CLI_KEY_IN) | OPTION_BIT(CLI_PASSWORD_SOURCE) | OPTION_BIT(CLI_SUBJECT) |
    OPTION_BIT(CLI_SAN) | OPTION_BIT(CLI_DAYS) | OPTION_BIT(CLI_NOT_AFTER) | OPTION_BIT(CLI_OUT) |
    OPTION_BIT(CLI_IN) | OPTION_BIT(CLI_WITHIN);

const uint64_t cli_global_options = OPTION_BIT(CLI_CONFIG) | OPTION_BIT(CLI_VERBOSE) | OPTION_BIT(CLI_QUIET) |
                                    OPTION_BIT(CLI_ERROR_FORMAT) | OPTION_BIT(CLI_HELP) |
                                    OPTION_BIT(CLI_VERSION);

uint64_t cli_settings_of(const struct command *command)
{
    _Static_assert(SETTING_N < 64 && CLI_OPTION_N <= 64, "each has its bit");
    const uint64_t all = SETTING_BIT(SETTING_N) - 1;

    return !command->has_settings ? 0 : (command->only_settings == 0 ? all : command->only_settings);
}

/* What getopt_long is told. */
struct table {
    struct option rows[LONG_MAX_N];
    char letters[CLI_OPTION_N + 4];
    const char *names[NAMES_MAX]; /* for suggestions, NULL-terminated */
    size_t n;
};

static void add_row(struct table *table, const char *name, bool has_value, int value)
{
    table->rows[table->n] = (struct option){ name, has_value ? required_argument : no_argument, NULL, value };
    table->names[table->n++] = name;
}

/* start: "+:" stops at the first word that is no option, ":" does not. */
static void make_table(struct table *table, const char *start, uint64_t options, uint64_t settings)
{
    size_t n_letters = strlen(start);

    *table = (struct table){ 0 };
    memcpy(table->letters, start, n_letters);
    for (int id = 0; id < CLI_OPTION_N; id++) {
        if (options & OPTION_BIT(id)) {
            add_row(table, cli_options[id].name, cli_options[id].metavar != NULL, OPTION_BASE + id);
        }
        if ((options & OPTION_BIT(id)) && cli_options[id].letter != 0) {
            table->letters[n_letters++] = cli_options[id].letter; /* none of these takes a value */
        }
    }
    for (int id = 0; id < SETTING_N; id++) {
        if (settings & SETTING_BIT(id)) {
            add_row(table, setting_rows[id].name, setting_rows[id].metavar != NULL, SETTING_BASE + id);
        }
    }
}

static enum keystay_status no_such_choice(enum cli_option_id id, struct keystay_error *err)
{
    const char *const *choices = cli_options[id].choices;

    (void)err_set(err, KEYSTAY_E_USAGE, "--%s must be one of: %s", cli_options[id].name, choices[0]);
    for (size_t i = 1; choices[i] != NULL; i++) {
        err_append(err, "%s%s", choices[i + 1] == NULL ? " or " : ", ", choices[i]);
    }
    return KEYSTAY_E_USAGE;
}

static enum keystay_status take_option(
    struct cli *cli, enum cli_option_id id, const char *value, struct keystay_error *err)
{
    const char *const *choices = cli_options[id].choices;

    for (; choices != NULL && !str_equal(*choices, value); choices++) {
        if (choices[1] == NULL) {
            return no_such_choice(id, err);
        }
    }
    if (cli->values[id] != NULL && (once_options & OPTION_BIT(id))) {
        return err_set(err, KEYSTAY_E_USAGE, "--%s is given twice", cli_options[id].name);
    }
    cli->values[id] = value == NULL ? "" : value;
    return KEYSTAY_OK;
}

static enum keystay_status take_setting(
    struct cli *cli, enum setting_id id, const char *value, bool *seen, struct keystay_error *err)
{
    if (seen[id] && !setting_rows[id].is_list) {
        return err_set(err, KEYSTAY_E_USAGE, "--%s is given twice", setting_rows[id].name);
    }
    seen[id] = true;
    enum keystay_status status =
        profile_set(cli->profile, id, value == NULL ? "yes" : value, PROFILE_FLAG, err);
    return status == KEYSTAY_OK ? status : err_prefix(err, status, "--%s", setting_rows[id].name);
}

static const char *help_of(const struct cli *cli, char *text, size_t size)
{
    (void)snprintf(
        text, size, "see: keystay help%s%s", cli->command == NULL ? "" : " ",
        cli->command == NULL ? "" : cli->command->name);
    return text;
}

/* The name of a row by the value that getopt_long knows it by. */
static const char *name_of(int value)
{
    if (value >= OPTION_BASE && value < OPTION_BASE + CLI_OPTION_N) {
        return cli_options[value - OPTION_BASE].name;
    }
    if (value >= SETTING_BASE && value < SETTING_BASE + SETTING_N) {
        return setting_rows[value - SETTING_BASE].name;
    }
    return "?";
}

/* getopt's '?' for a letter, or for a value that an option does not take; KEYSTAY_OK when it is neither. */
static enum keystay_status wrong_use(const struct cli *cli, struct keystay_error *err)
{
    char help[64];

    if (optopt >= SETTING_BASE) {
        return err_set_hint(
            err, KEYSTAY_E_USAGE, "leave the '=' and what follows out", "--%s takes no value",
            name_of(optopt));
    }
    if (optopt > ' ' && optopt <= '~') {
        return err_set_hint(
            err, KEYSTAY_E_USAGE, help_of(cli, help, sizeof(help)), "there is no option -%c here", optopt);
    }
    return KEYSTAY_OK;
}

/* word is argv's own; only its part before '=' is quoted: the rest may be a secret that went astray. */
static enum keystay_status unknown_option(
    const struct cli *cli, const struct table *table, const char *word, struct keystay_error *err)
{
    char name[64];
    char help[64];

    str_quote_foreign((struct slice){ (const uint8_t *)word, strcspn(word, "=") }, name, sizeof(name));
    if (cli->command == NULL && str_has_prefix(name, "--") && setting_find(name + 2) != SETTING_N) {
        return err_set_hint(
            err, KEYSTAY_E_USAGE, "such as: keystay token --tenant ...", "%s comes after the command", name);
    }
    const char *near = str_has_prefix(name, "--") ? suggest_nearest(name + 2, table->names) : NULL;
    (void)err_set_hint(
        err, KEYSTAY_E_USAGE, help_of(cli, help, sizeof(help)), "there is no option %s here", name);
    return near == NULL ? KEYSTAY_E_USAGE : err_hint(err, KEYSTAY_E_USAGE, "did you mean --%s?", near);
}

/* getopt_long takes the beginning of a name for the name, so that --in could mean --interaction-timeout. */
static bool is_whole(int found, const char *word)
{
    const char *name = name_of(found);

    return str_has_prefix(word, "--") && strcspn(word + 2, "=") == strlen(name) &&
           str_has_prefix(word + 2, name);
}

static enum keystay_status take(
    const struct table *table, int found, const char *word, bool *seen, struct cli *cli,
    struct keystay_error *err)
{
    if (found >= SETTING_BASE && !is_whole(found, word)) {
        return unknown_option(cli, table, word, err);
    }
    if (found >= OPTION_BASE) {
        return take_option(cli, (enum cli_option_id)(found - OPTION_BASE), optarg, err);
    }
    if (found >= SETTING_BASE) {
        return take_setting(cli, (enum setting_id)(found - SETTING_BASE), optarg, seen, err);
    }
    for (int id = 0; id < CLI_OPTION_N; id++) {
        if (cli_options[id].letter != 0 && found == cli_options[id].letter) {
            return take_option(cli, (enum cli_option_id)id, optarg, err);
        }
    }
    if (found == ':') {
        char help[64];
        return err_set_hint(
            err, KEYSTAY_E_USAGE, help_of(cli, help, sizeof(help)), "%.60s wants a value", word);
    }
    TRY(wrong_use(cli, err));
    return unknown_option(cli, table, word, err);
}

/* Where the option itself stands: a value may be a word of its own behind it. */
static const char *word_of(int argc, char **argv, int found)
{
    const bool has_value = found >= SETTING_BASE && optind >= 2 && optarg == argv[optind - 1];
    const int at = optind - (has_value ? 2 : 1);

    return at >= 0 && at < argc ? argv[at] : "";
}

static enum keystay_status parse_options(
    int argc, char **argv, const struct table *table, struct cli *cli, struct keystay_error *err)
{
    enum keystay_status first = KEYSTAY_OK;
    bool seen[SETTING_N] = { false };
    int found = 0;

    opterr = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread is started */
    while ((found = getopt_long(argc, argv, table->letters, table->rows, NULL)) != -1) {
        const char *word = word_of(argc, argv, found);
        enum keystay_status status = take(table, found, word, seen, cli, first == KEYSTAY_OK ? err : NULL);
        first = first == KEYSTAY_OK ? status : first;
    }
    return first;
}

bool cli_is_of_group(const struct command *command, const char *group)
{
    return str_has_prefix(command->name, group) && command->name[strlen(group)] == ' ';
}

bool cli_is_group(const char *name)
{
    for (size_t i = 0; i < cli_n_commands; i++) {
        if (cli_is_of_group(cli_commands[i], name)) {
            return true;
        }
    }
    return false;
}

/* The second words that go with a first one, such as: list, show, delete. */
static void list_second_words(const char *first, char *ret_text, size_t size)
{
    size_t len = 0;

    for (size_t i = 0; i < cli_n_commands && len < size; i++) {
        if (cli_is_of_group(cli_commands[i], first)) {
            len += (size_t)snprintf(
                ret_text + len, size - len, "%s%s", len == 0 ? "" : ", ",
                cli_commands[i]->name + strlen(first) + 1);
        }
    }
}

/* A second word that is wrong is not repeated: it may be a PIN. */
static enum keystay_status check_second_word(
    const char *first, const char *both, const char *const names[], struct keystay_error *err)
{
    char words[160] = "";

    list_second_words(first, words, sizeof(words));
    if (words[0] == '\0') {
        return KEYSTAY_OK;
    }
    const char *near = suggest_nearest(both, names);
    (void)err_set(err, KEYSTAY_E_USAGE, "'%s' wants one of these as a second word: %s", first, words);
    return near == NULL ? err_hint(err, KEYSTAY_E_USAGE, "see: keystay help %s", first)
                        : err_hint(err, KEYSTAY_E_USAGE, "did you mean: keystay %s?", near);
}

enum keystay_status options_unknown_command(const char *first, const char *both, struct keystay_error *err)
{
    const char *names[NAMES_MAX] = { NULL };
    char quoted[64];

    for (size_t i = 0; i < cli_n_commands; i++) {
        names[i] = cli_commands[i]->name;
    }
    TRY(check_second_word(first, both, names, err));
    str_quote_foreign(slice_of_str(first), quoted, sizeof(quoted));
    const char *near = suggest_nearest(first, names);
    (void)err_set_hint(err, KEYSTAY_E_USAGE, "see: keystay help", "there is no command '%s'", quoted);
    return near == NULL ? KEYSTAY_E_USAGE : err_hint(err, KEYSTAY_E_USAGE, "did you mean: keystay %s?", near);
}

static bool is_help(const char *word)
{
    return word != NULL && (str_equal(word, "--help") || str_equal(word, "-h"));
}

/* "key list" is two words; *ret_n_words is how many the command has. "key --help" is none, and wants help. */
static enum keystay_status find_command(
    int argc, char **argv, struct cli *cli, int *ret_n_words, struct keystay_error *err)
{
    const char *name = argv[0];
    char both[64];

    (void)snprintf(both, sizeof(both), "%s %s", name, argc > 1 ? argv[1] : "");
    cli->command = cli_find_command(both);
    *ret_n_words = 2;
    if (cli->command == NULL) {
        cli->command = cli_find_command(name);
        *ret_n_words = 1;
    }
    if (cli->command == NULL && cli_is_group(name) && is_help(argv[1])) {
        cli->values[CLI_HELP] = "";
        cli->arguments[0] = name;
        return KEYSTAY_OK;
    }
    return cli->command != NULL ? KEYSTAY_OK : options_unknown_command(name, both, err);
}

static enum keystay_status take_arguments(int argc, char **argv, struct cli *cli, struct keystay_error *err)
{
    char help[64];

    /* A word that went astray is not repeated: it may be a PIN. */
    if (argc - optind > cli->command->arguments_max) {
        return err_set_hint(
            err, KEYSTAY_E_USAGE, help_of(cli, help, sizeof(help)),
            "there is a word too many after the options: '%s' takes %s", cli->command->name,
            cli->command->arguments_max == 0 ? "none" : cli->command->arguments);
    }
    for (int i = 0; optind + i < argc; i++) {
        cli->arguments[i] = argv[optind + i];
    }
    return KEYSTAY_OK;
}

/* Wherever it stands, also behind what cannot be parsed: the error about that must have the right form. */
static void find_error_format(int argc, char **argv, struct cli *cli)
{
    static const char name[] = "--error-format";

    for (int i = 1; i < argc && argv[i] != NULL && !str_equal(argv[i], "--"); i++) {
        const char *value = NULL;

        if (str_equal(argv[i], name)) {
            value = argv[i + 1];
        } else if (str_has_prefix(argv[i], name) && argv[i][sizeof(name) - 1] == '=') {
            value = argv[i] + sizeof(name);
        }
        if (value != NULL && (str_equal(value, "json") || str_equal(value, "text"))) {
            cli->values[CLI_ERROR_FORMAT] = value;
        }
    }
}

/* getopt keeps what it learned of another argv unless it is told to begin anew. */
static void restart_getopt(void)
{
#ifdef __GLIBC__
    optind = 0;
#else
    optind = 1;
#endif
}

/* What stands behind "--" is somebody else's command line: ours ends before it. */
static void split_words(int *argc, char **argv, struct cli *cli)
{
    for (int i = 1; i < *argc && cli->words == NULL; i++) {
        if (str_equal(argv[i], "--")) {
            cli->words = argv + i + 1;
            *argc = i;
        }
    }
}

static enum keystay_status check_words(const struct cli *cli, struct keystay_error *err)
{
    if (!cli->command->takes_words || cli_given(cli, CLI_HELP) ||
        (cli->words != NULL && cli->words[0] != NULL)) {
        return KEYSTAY_OK;
    }
    return err_set_hint(
        err, KEYSTAY_E_USAGE, "keystay exec PROFILE -- COMMAND [ARGUMENT...]",
        cli->words == NULL ? "\"--\" is missing between the profile and the command"
                           : "there is no command to run behind \"--\"");
}

enum keystay_status options_parse(int argc, char **argv, struct cli *cli, struct keystay_error *err)
{
    struct table table;
    int n_words = 1;

    find_error_format(argc, argv, cli);
    make_table(&table, "+:", cli_global_options, 0);
    restart_getopt();
    TRY(parse_options(argc, argv, &table, cli, err));
    if (optind >= argc || cli_given(cli, CLI_VERSION)) {
        return KEYSTAY_OK; /* no command: main knows what that means */
    }
    TRY(find_command(argc - optind, argv + optind, cli, &n_words, err));
    if (cli->command == NULL) {
        return KEYSTAY_OK;
    }
    argc -= optind + n_words - 1;
    argv += optind + n_words - 1;
    if (cli->command->takes_words) {
        split_words(&argc, argv, cli);
    }
    make_table(&table, ":", cli_global_options | cli->command->options, cli_settings_of(cli->command));
    restart_getopt();
    TRY(parse_options(argc, argv, &table, cli, err));
    TRY(check_words(cli, err));
    return take_arguments(argc, argv, cli, err);
}
