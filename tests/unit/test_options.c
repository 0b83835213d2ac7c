/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <getopt.h>
#include <stdio.h>

#include "base/str.h"
#include "cli/options.h"

/* The commands of src/cli/main.c, as far as the parser looks. */
static const struct command token = {
    .name = "token", .arguments = "", .has_settings = true, .options = OPTION_BIT(CLI_FORMAT)
};
static const struct command assertion = { .name = "assertion", .arguments = "", .has_settings = true };
static const struct command key_list = {
    .name = "key list", .arguments = "", .has_settings = true, .options = OPTION_BIT(CLI_LIST_FORMAT)
};
static const struct command pin_forget = { .name = "pin forget", .arguments = "", .has_settings = true };
static const struct command jwt_verify = { .name = "jwt verify",
                                           .arguments = "[FILE]",
                                           .arguments_max = 1,
                                           .has_settings = true,
                                           .only_settings = SETTING_BIT(SETTING_CACERT),
                                           .options = OPTION_BIT(CLI_ISSUER) | OPTION_BIT(CLI_AUDIENCE) };
static const struct command help = { .name = "help", .arguments = "[COMMAND]", .arguments_max = 2 };
static const struct command version = { .name = "version", .arguments = "" };

const struct command *const cli_commands[] = { &token,      &assertion, &key_list, &pin_forget,
                                               &jwt_verify, &help,      &version };
const size_t cli_n_commands = ARRAY_LEN(cli_commands);

const struct command *cli_find_command(const char *name)
{
    for (size_t i = 0; i < cli_n_commands; i++) {
        if (str_equal(cli_commands[i]->name, name)) {
            return cli_commands[i];
        }
    }
    return NULL;
}

bool cli_given(const struct cli *cli, enum cli_option_id id)
{
    return cli->values[id] != NULL;
}

enum { WORDS_MAX = 32 };

/* A command line without its first word, NULL-terminated; as wide as a row of a table can be. */
#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

struct parsed {
    struct cli cli;
    enum keystay_status status;
    struct keystay_error err;
};

static void parsed_clear(struct parsed *parsed)
{
    profile_freep(&parsed->cli.profile);
}

static struct parsed parse(const char *const *words)
{
    struct parsed parsed = { .status = KEYSTAY_OK };
    char *argv[WORDS_MAX] = { drop_const("keystay") };
    int argc = 1;

    for (; words[argc - 1] != NULL; argc++) {
        assert_true(argc < WORDS_MAX - 1);
        argv[argc] = drop_const(words[argc - 1]);
    }
    optind = 0; /* getopt starts afresh, as in a new process */
    assert_ok(keystay_profile_new(&parsed.cli.profile, NULL));
    parsed.status = options_parse(argc, argv, &parsed.cli, &parsed.err);
    return parsed;
}

/* The line must be refused with these words in message and hint. */
static void refuse(const char *const *words, const char *message, const char *hint)
{
    CLEANUP(parsed_clear) struct parsed parsed = parse(words);

    assert_row(parsed.status == KEYSTAY_E_USAGE, message);
    assert_int_equal(parsed.err.status, KEYSTAY_E_USAGE);
    assert_contains(parsed.err.message, message);
    assert_contains(parsed.err.hint, hint);
    assert_tame(parsed.err.message);
    assert_tame(parsed.err.hint);
}

TEST(without_words_there_is_no_command)
{
    CLEANUP(parsed_clear) struct parsed parsed = parse((const char *const[]){ NULL });

    assert_int_equal(parsed.status, KEYSTAY_OK);
    assert_null(parsed.cli.command);
}

TEST(a_mistyped_command_gets_a_suggestion)
{
    refuse(WORDS("tokn"), "there is no command 'tokn'", "did you mean: keystay token?");
    refuse(WORDS("frobnicate"), "there is no command 'frobnicate'", "see: keystay help");
    refuse(WORDS(""), "there is no command ''", "see: keystay help");
}

TEST(a_mistyped_option_gets_a_suggestion)
{
    refuse(WORDS("token", "--tenent", "x"), "there is no option --tenent here", "did you mean --tenant?");
    refuse(WORDS("token", "--frobnicate"), "there is no option --frobnicate here", "see: keystay help token");
    refuse(WORDS("--verbos-", "token"), "there is no option --verbos- here", "did you mean --verbose?");
    refuse(WORDS("token", "-x"), "there is no option -x here", "see: keystay help token");
    refuse(WORDS("help", "--tenant", "x"), "there is no option --tenant here", "help");
    refuse(WORDS("assertion", "--format", "json"), "there is no option --format here", "");
}

TEST(a_setting_comes_after_the_command)
{
    refuse(WORDS("--tenant", "x", "token"), "--tenant comes after the command", "keystay token --tenant");
    refuse(WORDS("--tenant=x", "token"), "--tenant comes after the command", "keystay token --tenant");
}

TEST(a_missing_value_is_named)
{
    refuse(WORDS("token", "--scope", "s", "--tenant"), "--tenant wants a value", "see: keystay help token");
    refuse(WORDS("--error-format"), "--error-format wants a value", "see: keystay help");
}

TEST(the_same_setting_twice_is_a_mistake)
{
    refuse(WORDS("token", "--tenant", "a", "--tenant", "a"), "--tenant is given twice", "");
    refuse(WORDS("token", "--pin-reuse", "--pin-reuse"), "--pin-reuse is given twice", "");
}

TEST(each_setting_is_an_option)
{
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        const struct setting *row = &setting_rows[id];
        const char *value = row->kind == SETTING_CHOICE   ? row->choices[0]
                            : row->kind == SETTING_SWITCH ? "yes"
                            : row->kind == SETTING_NUMBER ? "61"
                                                          : "--some -text";
        char option[64];
        char both[128];

        (void)snprintf(option, sizeof(option), "--%s", row->name);
        (void)snprintf(both, sizeof(both), "--%s=%s", row->name, value);
        CLEANUP(parsed_clear)
        struct parsed apart = parse(WORDS("token", option, row->metavar == NULL ? NULL : value));
        assert_row(apart.status == KEYSTAY_OK, row->name);
        assert_string_equal(profile_text(apart.cli.profile, id), value);
        if (row->metavar != NULL) {
            CLEANUP(parsed_clear) struct parsed joined = parse(WORDS("assertion", both));
            assert_row(joined.status == KEYSTAY_OK, row->name);
            assert_string_equal(profile_text(joined.cli.profile, id), value);
        }
    }
}

TEST(options_of_the_program_stand_before_or_after_the_command)
{
    static const struct {
        const char *words[6];
        enum cli_option_id id;
        const char *value;
    } rows[] = {
        { { "-v", "token" }, CLI_VERBOSE, "" },
        { { "--verbose", "token" }, CLI_VERBOSE, "" },
        { { "token", "-v" }, CLI_VERBOSE, "" },
        { { "-qv", "token" }, CLI_VERBOSE, "" },
        { { "token", "-vq" }, CLI_QUIET, "" },
        { { "token", "--quiet" }, CLI_QUIET, "" },
        { { "token", "--help" }, CLI_HELP, "" },
        { { "-h" }, CLI_HELP, "" },
        { { "-V" }, CLI_VERSION, "" },
        { { "--version", "no-such-command" }, CLI_VERSION, "" },
        { { "token", "--version" }, CLI_VERSION, "" },
        { { "--error-format", "json", "token" }, CLI_ERROR_FORMAT, "json" },
        { { "token", "--error-format=text" }, CLI_ERROR_FORMAT, "text" },
        { { "token", "--format", "json" }, CLI_FORMAT, "json" },
        { { "--config", "a.conf", "token" }, CLI_CONFIG, "a.conf" },
        { { "token", "--config=a.conf" }, CLI_CONFIG, "a.conf" },
        { { "help", "--config", "a.conf" }, CLI_CONFIG, "a.conf" },
        { { "key", "list", "--format", "json" }, CLI_LIST_FORMAT, "json" },
        { { "key", "list", "--format", "text" }, CLI_LIST_FORMAT, "text" },
        { { "token", "--format", "json", "--format", "raw" }, CLI_FORMAT, "raw" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(parsed_clear) struct parsed parsed = parse(rows[i].words);
        assert_row(parsed.status == KEYSTAY_OK, rows[i].words[0]);
        assert_row(parsed.cli.values[rows[i].id] != NULL, rows[i].words[0]);
        assert_string_equal(parsed.cli.values[rows[i].id], rows[i].value);
    }
}

TEST(a_command_may_have_two_words)
{
    CLEANUP(parsed_clear) struct parsed list = parse(WORDS("-v", "key", "list", "--module", "m"));
    CLEANUP(parsed_clear) struct parsed forget = parse(WORDS("pin", "forget"));

    assert_int_equal(list.status, KEYSTAY_OK);
    assert_ptr_equal(list.cli.command, &key_list);
    assert_string_equal(profile_text(list.cli.profile, SETTING_MODULE), "m");
    assert_null(list.cli.arguments[0]);
    assert_int_equal(forget.status, KEYSTAY_OK);
    assert_ptr_equal(forget.cli.command, &pin_forget);
    refuse(WORDS("key"), "'key' wants one of these as a second word: list", "see: keystay help");
    refuse(
        WORDS("key", "lost"), "'key' wants one of these as a second word: list",
        "did you mean: keystay key list?");
    refuse(WORDS("pin", "hunter2"), "'pin' wants one of these as a second word: forget", "");
    refuse(WORDS("key", "--module", "m", "list"), "'key' wants one of these as a second word", "");
    refuse(WORDS("key", "list", "key"), "word too many", "see: keystay help key list");
    refuse(WORDS("key", "list", "--format", "raw"), "--format must be one of: text or json", "");
}

TEST(a_command_may_take_arguments)
{
    static const struct {
        const char *words[6];
        const char *first, *second;
    } rows[] = {
        { { "help" }, NULL, NULL },
        { { "help", "token" }, "token", NULL },
        { { "help", "key", "list" }, "key", "list" },
        { { "help", "-v", "key", "list" }, "key", "list" },
        { { "help", "--", "--token" }, "--token", NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(parsed_clear) struct parsed parsed = parse(rows[i].words);
        const char *wanted[] = { rows[i].first, rows[i].second };

        assert_int_equal(parsed.status, KEYSTAY_OK);
        assert_ptr_equal(parsed.cli.command, &help);
        for (size_t k = 0; k < CLI_ARGUMENTS_MAX; k++) {
            assert_int_equal(parsed.cli.arguments[k] == NULL, wanted[k] == NULL);
            if (wanted[k] != NULL) {
                assert_string_equal(parsed.cli.arguments[k], wanted[k]);
            }
        }
    }
    refuse(WORDS("help", "key", "list", "show"), "word too many", "see: keystay help");
}

TEST(options_may_stand_behind_an_argument)
{
    CLEANUP(parsed_clear) struct parsed parsed = parse(WORDS("help", "token", "--verbose"));

    assert_int_equal(parsed.status, KEYSTAY_OK);
    assert_string_equal(parsed.cli.arguments[0], "token");
    assert_true(cli_given(&parsed.cli, CLI_VERBOSE));
}

TEST(a_list_grows_to_its_cap)
{
    const char *words[2 + 2 * (PROFILE_LIST_MAX + 1)] = { "token" };

    for (int n = 1; n <= PROFILE_LIST_MAX + 1; n++) {
        words[2 * n - 1] = "--key";
        words[2 * n] = "pkcs11:id=%01";
        CLEANUP(parsed_clear) struct parsed parsed = parse(words);
        assert_int_equal(parsed.status, n <= PROFILE_LIST_MAX ? KEYSTAY_OK : KEYSTAY_E_CONFIG);
        if (n <= PROFILE_LIST_MAX) {
            assert_int_equal(profile_count(parsed.cli.profile, SETTING_KEY), n);
        } else {
            assert_contains(parsed.err.message, "--key: ");
        }
    }
}

TEST(a_value_out_of_range_is_a_matter_of_settings)
{
    CLEANUP(parsed_clear) struct parsed parsed = parse(WORDS("token", "--timeout", "0"));

    assert_int_equal(parsed.status, KEYSTAY_E_CONFIG);
    assert_string_equal(parsed.err.message, "--timeout: timeout must be a whole number from 1 to 3600");
    refuse(WORDS("token", "--format", "xml"), "--format must be one of", "");
    refuse(WORDS("token", "--error-format", ""), "--error-format must be one of", "");
}

/* What is no option of a command may be the beginning of one that is, and of one that is there later. */
TEST(a_name_is_not_cut_short)
{
    refuse(WORDS("token", "--interaction", "5"), "there is no option --interaction here", "");
    refuse(WORDS("token", "--in", "cert.pem"), "there is no option --in here", "");
    refuse(WORDS("token", "--tenan=x"), "there is no option --tenan here", "did you mean --tenant?");
    refuse(WORDS("token", "--verb"), "there is no option --verb here", "");
    refuse(WORDS("--vers"), "there is no option --vers here", "");
    refuse(
        WORDS("token", "--tenant", "--client", "--client-i", "x"), "there is no option --client-i here", "");
}

TEST(a_default_is_no_choice)
{
    CLEANUP(parsed_clear) struct parsed parsed = parse(WORDS("key", "list", "--format", "yaml"));

    assert_string_equal(parsed.err.message, "--format must be one of: text or json");
}

TEST(a_switch_takes_no_value)
{
    static const char *const lines[][6] = { { "token", "--allow-extractable=no" },
                                            { "token", "--verbose=1" } };

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        CLEANUP(parsed_clear) struct parsed parsed = parse(lines[i]);
        assert_int_equal(parsed.status, KEYSTAY_E_USAGE);
        assert_lacks(parsed.err.message, "there is no option"); /* there is */
    }
}

TEST(the_first_mistake_is_told)
{
    refuse(WORDS("token", "--bogus", "--tenant", "a", "--tenant", "b"), "--bogus", "");
    refuse(WORDS("token", "--tenant", "a", "--tenant", "b", "--bogus"), "--tenant is given twice", "");
}

/* "So that --error-format counts wherever it stands." */
TEST(the_form_of_errors_counts_after_a_mistake)
{
    static const char *const lines[][6] = {
        { "--error-format", "json", "token", "--bogus" },
        { "token", "--bogus", "--error-format", "json" },
        { "token", "--error-format", "json", "--bogus" },
        { "token", "--timeout", "0", "--error-format=json" },
        { "--error-format=json", "tokn" },
    };

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        CLEANUP(parsed_clear) struct parsed parsed = parse(lines[i]);
        assert_int_not_equal(parsed.status, KEYSTAY_OK);
        assert_non_null(parsed.cli.values[CLI_ERROR_FORMAT]);
        assert_string_equal(parsed.cli.values[CLI_ERROR_FORMAT], "json");
    }
}

TEST(the_form_of_errors_counts_after_a_mistaken_command_too)
{
    static const char *const lines[][6] = {
        { "tokn", "--error-format", "json" },
        { "--bogus", "token", "--error-format", "json" },
        { "token", "stray", "--error-format", "json" },
    };

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        CLEANUP(parsed_clear) struct parsed parsed = parse(lines[i]);
        assert_int_equal(parsed.status, KEYSTAY_E_USAGE);
        assert_row(parsed.cli.values[CLI_ERROR_FORMAT] != NULL, lines[i][0]);
    }
}

/* Of letters in one word the wrong one is told, not the word before, which may be anything. */
TEST(a_wrong_letter_among_others_is_told)
{
    refuse(WORDS("token", "--audience", "hunter2", "-xv"), "-x", "");
    CLEANUP(parsed_clear) struct parsed parsed = parse(WORDS("token", "--audience", "hunter2", "-xv"));
    assert_lacks(parsed.err.message, "hunter2");
}

/* People type PINs where they do not belong. */
TEST(what_went_astray_is_not_repeated)
{
    static const char *const lines[][6] = {
        { "token", "--pin=hunter2" },          { "--pin=hunter2" },
        { "token", "--timeout=hunter2" },      { "token", "hunter2" },
        { "token", "--pin-reuse", "hunter2" }, { "token", "--pin", "hunter2" },
        { "help", "a", "b", "hunter2" },       { "token", "--format=hunter2" },
    };

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        CLEANUP(parsed_clear) struct parsed parsed = parse(lines[i]);
        assert_row(parsed.status != KEYSTAY_OK, lines[i][1] == NULL ? lines[i][0] : lines[i][1]);
        assert_lacks(parsed.err.message, "hunter2");
        assert_lacks(parsed.err.hint, "hunter2");
    }
}

TEST(words_are_safe_to_print)
{
    char endless[3000];

    memset(endless, 'a', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    refuse(WORDS("\x1B]0;x\x07"), "there is no command '?]0;x?'", "");
    refuse(WORDS("token", "--\x1B[2J\n"), "--?[2J", "");
    refuse(WORDS("token", "-\xFF"), "-?", "");
    refuse(WORDS(endless), "aaa...'", "");
    memcpy(endless, "--", 2);
    refuse(WORDS("token", endless), "aaa... here", "");
}

TEST(a_command_may_have_some_settings_only)
{
    CLEANUP(parsed_clear)
    struct parsed parsed =
        parse(WORDS("jwt", "verify", "--cacert", "ca.pem", "--audience", "a", "token.txt"));

    assert_int_equal(parsed.status, KEYSTAY_OK);
    assert_string_equal(profile_text(parsed.cli.profile, SETTING_CACERT), "ca.pem");
    assert_string_equal(parsed.cli.values[CLI_AUDIENCE], "a");
    /* The setting of that name is another thing: aud of the assertion. */
    assert_int_equal(profile_source(parsed.cli.profile, SETTING_AUDIENCE, 0).origin, PROFILE_DEFAULT);
    assert_string_equal(parsed.cli.arguments[0], "token.txt");
    refuse(WORDS("jwt", "verify", "--tenant", "x"), "no option --tenant", "keystay help jwt verify");
    refuse(WORDS("jwt", "verify", "--format", "json"), "no option --format", "");
}

TEST(some_options_are_given_once)
{
    refuse(WORDS("jwt", "verify", "--issuer", "a", "--issuer", "b"), "--issuer is given twice", "");
}

TEST(a_command_has_all_settings_some_or_none)
{
    assert_true(cli_settings_of(&token) == SETTING_BIT(SETTING_N) - 1);
    assert_true(cli_settings_of(&jwt_verify) == SETTING_BIT(SETTING_CACERT));
    assert_true(cli_settings_of(&help) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_may_have_some_settings_only),
        cmocka_unit_test(some_options_are_given_once),
        cmocka_unit_test(a_command_has_all_settings_some_or_none),
        cmocka_unit_test(without_words_there_is_no_command),
        cmocka_unit_test(a_mistyped_command_gets_a_suggestion),
        cmocka_unit_test(a_mistyped_option_gets_a_suggestion),
        cmocka_unit_test(a_setting_comes_after_the_command),
        cmocka_unit_test(a_missing_value_is_named),
        cmocka_unit_test(the_same_setting_twice_is_a_mistake),
        cmocka_unit_test(each_setting_is_an_option),
        cmocka_unit_test(options_of_the_program_stand_before_or_after_the_command),
        cmocka_unit_test(a_command_may_have_two_words),
        cmocka_unit_test(a_command_may_take_arguments),
        cmocka_unit_test(options_may_stand_behind_an_argument),
        cmocka_unit_test(a_list_grows_to_its_cap),
        cmocka_unit_test(a_value_out_of_range_is_a_matter_of_settings),
        cmocka_unit_test(a_name_is_not_cut_short),
        cmocka_unit_test(a_default_is_no_choice),
        cmocka_unit_test(a_switch_takes_no_value),
        cmocka_unit_test(the_first_mistake_is_told),
        cmocka_unit_test(the_form_of_errors_counts_after_a_mistake),
        cmocka_unit_test(the_form_of_errors_counts_after_a_mistaken_command_too),
        cmocka_unit_test(a_wrong_letter_among_others_is_told),
        cmocka_unit_test(what_went_astray_is_not_repeated),
        cmocka_unit_test(words_are_safe_to_print),
    };

    return RUN_TESTS(tests);
}
