/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration file says, line by line; what several say together is test_config_apply's. */
#include "unit.h"

#include <stdio.h>

#include "core/agent_setting.h"
#include "core/config.h"
#include "core/config_text.h"
#include "scratch.h"

static const char small[] = "# for all\n"
                            "[defaults]\n"
                            "tenant = contoso.example\n"
                            "timeout=60\n"
                            "\n"
                            "[profile backup]\n"
                            "client_id = the-client\n"
                            "; the second is to fall back to\n"
                            "key = pkcs11:token=a;id=%01\n"
                            "key = pkcs11:token=b;id=%02\n"
                            "  pin_source = exec:/usr/bin/pass show  hsm # not a comment\n"
                            "allow_extractable = yes\n"
                            "[profile ci]\n";

struct read {
    struct config_file file;
    enum keystay_status status;
    struct keystay_error err;
};

static void read_clear(struct read *read)
{
    config_clear_sections(&read->file);
}

static struct read parse(struct slice text)
{
    static char path[] = "k.conf";
    /* As config_read_file does: a NUL follows the text. */
    CLEANUP(buf_clear) struct buf copy = BUF(CONFIG_SIZE_MAX);
    struct read read = { .file = { .path = path } };

    assert_ok(buf_put(&copy, text, NULL));
    read.status = config_parse(buf_slice(&copy), &read.file, &read.err);
    return read;
}

static void refuse(struct slice text, const char *message, const char *hint)
{
    CLEANUP(read_clear) struct read read = parse(text);

    assert_row(read.status == KEYSTAY_E_CONFIG, message);
    assert_contains(read.err.message, message);
    assert_contains(read.err.hint, hint);
    assert_tame(read.err.message);
    assert_tame(read.err.hint);
}

TEST(a_line_that_is_nothing_is_named)
{
    static const struct {
        struct slice text;
        const char *message, *hint;
    } rows[] = {
        { SLICE("tenant = x\n"), "k.conf:1: this stands before the first section", "[defaults]" },
        { SLICE("\n\nx\n[defaults]\n"), "k.conf:3: this stands before", "[profile NAME]" },
        { SLICE("[defaults]\ntenant\n"), "k.conf:2: this is no KEY = VALUE", "" },
        { SLICE("[defaults]\n\ntenant: x\n"), "k.conf:3: this is no KEY = VALUE", "" },
        { SLICE("[defaults]\n  # x\n"), "k.conf:2: this is no KEY = VALUE", "" },
        { SLICE("[defaults]\n  [agent]\n"), "k.conf:2: this is no KEY = VALUE", "" },
        { SLICE("[defaults]\nmodule = x\n  y\n"), "k.conf:3: this is no KEY = VALUE", "" },
        { SLICE("[defaults]\nmodule = x\\\n  y\n"), "k.conf:3: this is no KEY = VALUE", "" },
        { SLICE("[defaults]\n/* x\n"), "k.conf:2: this is no KEY = VALUE", "" },
        { SLICE("[defaults]\n= x\n"), "k.conf:2: there is no key before the '='", "" },
        { SLICE("[defaults]\n"
                "  = x\n"),
          "k.conf:2: there is no key before the '='", "" },
        { SLICE("[defaults\n"), "k.conf:1: a section's line ends in ']'", "[profile backup]" },
        { SLICE("["), "k.conf:1: a section's line ends in ']'", "" },
        { SLICE("[defaults] # x\n"), "k.conf:1: a section's line ends in ']'", "a line of its own" },
        { SLICE("[agent]\nx\n"), "k.conf:2: this is no KEY = VALUE", "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        refuse(rows[i].text, rows[i].message, rows[i].hint);
    }
}

TEST(an_unknown_section_gets_a_suggestion)
{
    static const struct {
        const char *title, *message, *hint;
    } rows[] = {
        { "default", "there is no section [default]", "did you mean [defaults]?" },
        { "Defaults", "there is no section [Defaults]", "did you mean [defaults]?" },
        { "profil x", "there is no section [profil x]", "did you mean [profile NAME]?" },
        { "grants x", "there is no section [grants x]", "did you mean [grant NAME]?" },
        { "backup", "there is no section [backup]", "a profile's section is [profile NAME]" },
        { "", "there is no section []", "[profile NAME]" },
        { "]", "there is no section []]", "[profile NAME]" },
        { "profile", "[profile] wants a name", "" },
        { "profile ", "[profile] wants a name", "" },
        { "profile\tx", "[profile] wants a name", "" },
        { "grant", "[grant] wants a name", "" },
        { "defaults x", "[defaults] takes no name", "" },
        { "profile  x", "a name is 1 to 64 visible ASCII", "" },
        { "profile a b", "a name is 1 to 64 visible ASCII", "" },
        { "profile a[", "a name is 1 to 64 visible ASCII", "" },
        { "profile a]", "a name is 1 to 64 visible ASCII", "" },
        { "profile a!b", "a name is 1 to 64 visible ASCII", "" },
        { "profile \xC3\xA9", "a name is 1 to 64 visible ASCII", "" },
        { "agent x", "[agent] takes no name", "" },
        { "agents", "there is no section [agents]", "did you mean [agent]?" },
        { "grant a b", "a name is 1 to 64 visible ASCII", "" },
        { "grant a/b", "a grant's name has only letters", "" },
        { "grant ../a", "a grant's name has only letters", "" },
        { "grant .a", "a grant's name has only letters", "" },
        { "grant -a", "a grant's name has only letters", "" },
        { "grant a~", "a grant's name has only letters", "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[80];
        char message[80];

        (void)snprintf(text, sizeof(text), "\n[%s]\n", rows[i].title);
        (void)snprintf(message, sizeof(message), "k.conf:2: %s", rows[i].message);
        refuse(slice_of_str(text), message, rows[i].hint);
    }
}

TEST(an_unknown_key_gets_a_suggestion)
{
    static const struct {
        const char *key, *hint;
    } rows[] = {
        { "client-id", "did you mean client_id?" },
        { "pin-final-try", "did you mean pin_final_try?" },
        { "Interaction-Timeout", "did you mean interaction_timeout?" },
        { "TENANT", "did you mean tenant?" },
        { "tenent", "did you mean tenant?" },
        { "keys", "did you mean key?" },
        { "frobnicate", "keystay.conf(5)" },
        { "a very long key with blanks that reaches beyond what any name has, and then some more", "" },
        { "--tenant", "" },
        { "tenant.x", "did you mean tenant?" },
        { "\"", "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[200];
        char message[100];

        (void)snprintf(text, sizeof(text), "[defaults]\ntenant = t\n%s = hunter2\n", rows[i].key);
        (void)snprintf(message, sizeof(message), "k.conf:3: there is no key '%.50s", rows[i].key);
        refuse(slice_of_str(text), message, rows[i].hint);
    }
    refuse(SLICE("[defaults]\nt!t = x\n"), "k.conf:2: a key has only letters", "");
    refuse(SLICE("[defaults]\nt\xC3\xA9 = x\n"), "k.conf:2: a key has only letters", "");
}

/* libini_config looks names up without regard to case: the line must be that of the wrong one all the same.
 */
TEST(a_key_in_capitals_is_told_with_its_own_line)
{
    refuse(
        SLICE("[defaults]\nkey = a\nkey = b\nKey = c\nkey = d\n"), "k.conf:4: there is no key 'Key'",
        "did you mean key?");
}

TEST(a_bad_value_is_told_with_its_line_and_is_not_quoted)
{
    static const struct {
        const char *line, *message;
    } rows[] = {
        { "timeout = 0", "timeout must be a whole number from 1 to 3600" },
        { "timeout = 30 # hunter2", "timeout must be a whole number" },
        { "timeout = hunter2", "timeout must be a whole number" },
        { "allow_extractable = true", "allow-extractable must be yes or no" },
        { "allow_extractable = hunter2", "allow-extractable must be yes or no" },
        { "alg = hunter2", "alg must be one of:" },
        { "alg = ps256", "alg must be one of:" },
        { "tenant =", "tenant is empty" },
        { "key = ", "key is empty" },
        { "tenant = \"hunter2\"", "the value of tenant is in quotes" },
        { "tenant = \"\"", "the value of tenant is in quotes" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[100];
        char message[100];

        (void)snprintf(text, sizeof(text), "[defaults]\n\n[profile x]\n%s\n", rows[i].line);
        (void)snprintf(message, sizeof(message), "k.conf:4: %s", rows[i].message);
        CLEANUP(read_clear) struct read read = parse(slice_of_str(text));
        assert_row(read.status == KEYSTAY_E_CONFIG, rows[i].line);
        assert_contains(read.err.message, message);
        assert_lacks(read.err.message, "hunter2");
        assert_lacks(read.err.hint, "hunter2");
    }
}

TEST(what_is_repeated_is_told_with_both_lines)
{
    refuse(
        SLICE("[defaults]\ntenant = a\n\ntimeout = 1\ntenant = a\n"),
        "k.conf:5: tenant is set in line 2 already", "keep one");
    refuse(
        SLICE("[profile a]\n[defaults]\n[profile b]\n[profile a]\n"),
        "k.conf:4: [profile a] stands in line 1 already", "as one section");
    refuse(
        SLICE("[profile a]\nscope = x\n\n[profile A]\n"), "k.conf:4: [profile A] stands in line 1 already",
        "case makes no difference");
    refuse(SLICE("[defaults]\n[ defaults ]\n"), "k.conf:2: [defaults] stands in line 1 already", "");
    refuse(SLICE("[agent]\n[agent]\n"), "k.conf:2: [agent] stands in line 1 already", "");
    refuse(SLICE("[grant a]\n[grant b]\n[grant a]\n"), "k.conf:3: [grant a] stands in line 1", "");
}

TEST(nothing_says_nothing)
{
    static const char *const texts[] = { "", "\n", "# x", ";", "\n\n#\n", "\xEF\xBB\xBF", " \t\n" };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(read_clear) struct read read = parse(slice_of_str(texts[i]));
        assert_row(read.status == KEYSTAY_OK, texts[i]);
        assert_int_equal(read.file.n_sections, 0);
    }
}

TEST(reads_sections_keys_and_lines)
{
    CLEANUP(read_clear) struct read read = parse(slice_of_str(small));
    static const struct {
        enum setting_id id;
        unsigned int line;
        const char *text;
    } wanted[] = {
        { SETTING_CLIENT_ID, 7, "the-client" },
        { SETTING_KEY, 9, "pkcs11:token=a;id=%01" },
        { SETTING_KEY, 10, "pkcs11:token=b;id=%02" },
        { SETTING_PIN_SOURCE, 11, "exec:/usr/bin/pass show  hsm # not a comment" },
        { SETTING_ALLOW_EXTRACTABLE, 12, "yes" },
    };

    assert_int_equal(read.status, KEYSTAY_OK);
    assert_int_equal(read.file.n_sections, 3);
    assert_int_equal(read.file.sections[0].kind, CONFIG_DEFAULTS);
    assert_int_equal(read.file.sections[0].line, 2);
    assert_string_equal(read.file.sections[0].name, "");
    assert_int_equal(read.file.sections[0].n_values, 2);
    const struct config_section *backup = &read.file.sections[1];
    assert_int_equal(backup->kind, CONFIG_PROFILE);
    assert_int_equal(backup->line, 6);
    assert_string_equal(backup->name, "backup");
    assert_int_equal(backup->n_values, ARRAY_LEN(wanted));
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        assert_row(backup->values[i].id == wanted[i].id, wanted[i].text);
        assert_row(backup->values[i].line == wanted[i].line, wanted[i].text);
        assert_string_equal(backup->values[i].text, wanted[i].text);
    }
    assert_ptr_equal(config_find(&read.file, "ci"), &read.file.sections[2]);
    assert_int_equal(read.file.sections[2].n_values, 0);
    assert_null(config_find(&read.file, "CI"));
    assert_null(config_find(&read.file, ""));
}

TEST(each_setting_has_its_key)
{
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        const struct setting *row = &setting_rows[id];
        const char *value = row->kind == SETTING_CHOICE   ? row->choices[0]
                            : row->kind == SETTING_SWITCH ? "yes"
                            : row->kind == SETTING_NUMBER ? "61"
                                                          : "some text";
        char key[SETTING_ENV_SIZE];
        char text[200];

        setting_key_name(row, key);
        assert_null(strchr(key, '-'));
        (void)snprintf(text, sizeof(text), "[profile x]\n%s = %s\n", key, value);
        CLEANUP(read_clear) struct read read = parse(slice_of_str(text));
        assert_row(read.status == KEYSTAY_OK, key);
        assert_int_equal(read.file.sections[0].values[0].id, id);
        assert_string_equal(read.file.sections[0].values[0].text, value);
    }
}

TEST(line_ends_marks_and_blanks_of_others_are_taken)
{
    static const struct slice texts[] = {
        SLICE("[profile x]\r\ntenant = a b\r\n"),  SLICE("\xEF\xBB\xBF[profile x]\ntenant = a b\n"),
        SLICE("[profile x]\ntenant = a b"),        SLICE("[profile x]  \n\ttenant\t=\ta b \t\n"),
        SLICE("[ profile x ]\ntenant=a b\n   \n"),
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(read_clear) struct read read = parse(texts[i]);
        assert_row(read.status == KEYSTAY_OK, (const char *)texts[i].data);
        assert_row(config_find(&read.file, "x") != NULL, (const char *)texts[i].data);
        assert_string_equal(config_find(&read.file, "x")->values[0].text, "a b");
        assert_int_equal(config_find(&read.file, "x")->values[0].line, 2);
    }
}

TEST(the_agents_sections_have_keys_of_their_own)
{
    CLEANUP(read_clear)
    struct read read = parse(
        SLICE("[agent]\nlisten = localhost:0\nlisten = [::1]:1\n[grant a]\nprofile = a\n[profile a]\n"));

    assert_int_equal(read.status, KEYSTAY_OK);
    assert_int_equal(read.file.n_sections, 3);
    assert_int_equal(read.file.sections[0].kind, CONFIG_AGENT);
    assert_ptr_equal(read.file.sections[0].table, &agent_settings);
    assert_int_equal(read.file.sections[0].n_values, 2);
    assert_int_equal(read.file.sections[0].values[1].id, AGENT_LISTEN);
    assert_string_equal(read.file.sections[0].values[1].text, "[::1]:1");
    assert_int_equal(read.file.sections[1].kind, CONFIG_GRANT);
    assert_string_equal(read.file.sections[1].name, "a");
    assert_int_equal(read.file.sections[1].values[0].id, GRANT_PROFILE);
    assert_ptr_equal(config_find(&read.file, "a"), &read.file.sections[2]);
}

TEST(a_name_may_be_long_but_not_longer)
{
    char text[100] = "[profile ";

    memset(text + 9, '~', CONFIG_NAME_MAX);
    memcpy(text + 9 + CONFIG_NAME_MAX, "]\n", 3);
    CLEANUP(read_clear) struct read read = parse(slice_of_str(text));
    assert_int_equal(read.status, KEYSTAY_OK);
    assert_int_equal(strlen(read.file.sections[0].name), CONFIG_NAME_MAX);
    memcpy(text + 9 + CONFIG_NAME_MAX, "~]\n", 4);
    refuse(slice_of_str(text), "a name is 1 to 64", "");
    memset(text + 9, '~', sizeof(text) - 9);
    text[sizeof(text) - 2] = ']';
    text[sizeof(text) - 1] = '\0';
    refuse(slice_of_str(text), "the section's name is too long", "");
}

TEST(a_list_has_its_cap_here_too)
{
    for (size_t n = PROFILE_LIST_MAX; n <= PROFILE_LIST_MAX + 1; n++) {
        CLEANUP(buf_clear) struct buf text = BUF(1000);

        assert_ok(buf_puts(&text, "[profile x]\n", NULL));
        for (size_t i = 0; i < n; i++) {
            assert_ok(buf_puts(&text, "key = pkcs11:id=%01\n", NULL));
        }
        CLEANUP(read_clear) struct read read = parse(buf_slice(&text));
        assert_int_equal(read.status, n == PROFILE_LIST_MAX ? KEYSTAY_OK : KEYSTAY_E_CONFIG);
        assert_true(
            read.status == KEYSTAY_OK || strstr(read.err.message, "k.conf:10: key may be given 8") != NULL);
    }
}

TEST(sections_have_a_cap)
{
    for (int n = CONFIG_SECTIONS_MAX; n <= CONFIG_SECTIONS_MAX + 1; n++) {
        CLEANUP(buf_clear) struct buf text = BUF(CONFIG_SIZE_MAX);

        for (int i = 0; i < n; i++) {
            char section[32];
            (void)snprintf(section, sizeof(section), "[profile p%d]\n", i);
            assert_ok(buf_puts(&text, section, NULL));
        }
        CLEANUP(read_clear) struct read read = parse(buf_slice(&text));
        assert_int_equal(read.status, n == CONFIG_SECTIONS_MAX ? KEYSTAY_OK : KEYSTAY_E_CONFIG);
        assert_true(
            read.status == KEYSTAY_OK ||
            strstr(read.err.message, "k.conf:1001: there are more than 1000 sections") != NULL);
    }
}

TEST(what_no_text_holds_is_refused_with_its_line)
{
    static const struct slice texts[] = {
        SLICE("[defaults]\ntenant = a\0b\n"),    SLICE("[defaults]\n\0\n"),
        SLICE("[defaults]\ntenant = \x1b[2J\n"), SLICE("[defaults]\ntenant = a\rb\n"),
        SLICE("[defaults]\ntenant = \x80\n"),    SLICE("[defaults]\ntenant = \xED\xA0\x80\n"),
        SLICE("[defaults]\n# \x7F\n"),           SLICE("[defaults]\n[x\x01]\n"),
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        refuse(texts[i], "k.conf:2: there is a control character, or it is not UTF-8", "");
    }
    refuse(SLICE("\xFF\xFE[\0"), "k.conf:1: there is a control character", ""); /* UTF-16 */
}

TEST(much_of_one_thing_is_read_or_refused_at_once)
{
    const size_t size = is_under_valgrind() ? CONFIG_SIZE_MAX / 16 : CONFIG_SIZE_MAX;
    CLEANUP(buf_clear) struct buf text = BUF(CONFIG_SIZE_MAX);

    assert_ok(buf_puts(&text, "[profile x]\ntenant = ", NULL));
    while (text.len < size) {
        assert_ok(buf_putc(&text, 'x', NULL));
    }
    CLEANUP(read_clear) struct read value = parse(buf_slice(&text));
    assert_int_equal(value.status, KEYSTAY_OK);
    assert_int_equal(strlen(value.file.sections[0].values[0].text), size - 21);

    text.len = 0;
    assert_ok(buf_puts(&text, "[profile x]\n", NULL));
    while (text.len + 4 < size) {
        assert_ok(buf_puts(&text, "a=1\n", NULL));
    }
    refuse(buf_slice(&text), "k.conf:2: there is no key 'a'", "");

    text.len = 0;
    assert_ok(buf_puts(&text, "[profile x]\n", NULL));
    while (text.len < size - 2) {
        assert_ok(buf_putc(&text, 'x', NULL));
    }
    assert_ok(buf_puts(&text, "=1", NULL));
    refuse(buf_slice(&text), "k.conf:2: the key is too long", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_that_is_nothing_is_named),
        cmocka_unit_test(an_unknown_section_gets_a_suggestion),
        cmocka_unit_test(an_unknown_key_gets_a_suggestion),
        cmocka_unit_test(a_key_in_capitals_is_told_with_its_own_line),
        cmocka_unit_test(a_bad_value_is_told_with_its_line_and_is_not_quoted),
        cmocka_unit_test(what_is_repeated_is_told_with_both_lines),
        cmocka_unit_test(nothing_says_nothing),
        cmocka_unit_test(reads_sections_keys_and_lines),
        cmocka_unit_test(each_setting_has_its_key),
        cmocka_unit_test(line_ends_marks_and_blanks_of_others_are_taken),
        cmocka_unit_test(the_agents_sections_have_keys_of_their_own),
        cmocka_unit_test(a_name_may_be_long_but_not_longer),
        cmocka_unit_test(a_list_has_its_cap_here_too),
        cmocka_unit_test(sections_have_a_cap),
        cmocka_unit_test(what_no_text_holds_is_refused_with_its_line),
        cmocka_unit_test(much_of_one_thing_is_read_or_refused_at_once),
    };

    return RUN_TESTS(tests);
}
