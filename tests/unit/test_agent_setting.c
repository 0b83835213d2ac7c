/* SPDX-License-Identifier: Apache-2.0 */
#include "core/agent_setting.h"

#include <stdio.h>

#include "base/str.h"
#include "core/config.h"
#include "core/config_text.h"
#include "unit.h"

static const struct {
    const char *title;
    const struct setting_table *table;
} tables[] = { { "agent", &agent_settings }, { "grant x", &grant_settings } };

static enum keystay_status parse(const char *title, const char *line, struct keystay_error *err)
{
    char text[600];
    struct config_file file = { .path = drop_const("k.conf") };

    (void)snprintf(text, sizeof(text), "[%s]\n%s\n", title, line);
    CLEANUP(buf_clear) struct buf copy = BUF(sizeof(text));
    assert_ok(buf_puts(&copy, text, NULL));
    const enum keystay_status status = config_parse(buf_slice(&copy), &file, err);
    config_clear_sections(&file);
    return status;
}

TEST(what_is_wrong_is_told_with_its_line_and_the_fix)
{
    static const struct {
        const char *title, *line, *message, *hint;
    } rows[] = {
        { "agent", "sockets = /x", "there is no key 'sockets'", "did you mean socket?" },
        { "agent", "lock-after = 1", "there is no key 'lock-after'", "did you mean lock_after?" },
        { "agent", "user = x", "there is no key 'user'", "keystay.conf(5)" },
        { "agent", "tenant = x", "there is no key 'tenant'", "keystay.conf(5)" },
        { "agent", "socket = agent.sock", "socket must be the path of a file", "" },
        { "agent", "socket = /run/", "socket must be the path of a file", "" },
        { "agent", "socket =", "socket is empty", "" },
        { "agent", "socket_mode = 0777", "socket_mode must be one of: 0600 0660 0666", "" },
        { "agent", "socket_mode = 600", "socket_mode must be one of: 0600 0660 0666", "" },
        { "agent", "listen = 0.0.0.0:80", "listen must be 127.0.0.1:PORT, [::1]:PORT", "this machine alone" },
        { "agent", "imds = true", "imds must be yes or no", "" },
        { "agent", "metrics_user = 007", "metrics_user: a number must be from 0 to 4294967294", "" },
        { "agent", "max_connections = 15", "max_connections must be a whole number from 16 to 65536", "" },
        { "agent", "max_connections_per_user = 3", "a whole number from 4 to 65536", "" },
        { "agent", "request_timeout = 0", "request_timeout must be a whole number from 1 to 3600", "" },
        { "agent", "lock_after = -1", "lock_after must be a whole number from 0 to 2592000", "" },
        { "agent", "lock_on_suspend = 1", "lock_on_suspend must be yes or no", "" },
        { "agent", "imds = no\nimds = no", "imds is set in line 2 already", "keep one" },
        { "grant x", "uid = 1", "there is no key 'uid'", "" },
        { "grant x", "users = a", "there is no key 'users'", "did you mean user?" },
        { "grant x", "assertion-file = /a", "there is no key", "did you mean assertion_file?" },
        { "grant x", "profile = a\nprofile = b", "profile is set in line 2 already", "" },
        { "grant x", "user = 4294967295", "user: a number must be from 0 to 4294967294", "" },
        { "grant x", "user = 99999999999999999999", "user: a number must be", "" },
        { "grant x", "group = 00", "group: a number must be from 0 to 4294967294", "" },
        { "grant x", "unit = web", "unit must be the name of a systemd service or scope", "nginx.service" },
        { "grant x", "unit = web.slice", "unit must be the name of a systemd service or scope", "" },
        { "grant x", "unit = .service", "unit must be the name of a systemd service or scope", "" },
        { "grant x", "unit = a.service b.service", "unit must be the name", "repeat the key" },
        { "grant x", "unit = a/b.service", "unit must be the name", "" },
        { "grant x", "unit = web*.service", "unit must be the name", "" },
        { "grant x", "unit = web@.service", "unit is a template", "each instance" },
        { "grant x", "unit = @a.service", "unit is a template", "" },
        { "grant x", "scope = a b", "scope must be one scope or resource", "repeat the key" },
        { "grant x", "scope = \xC3\xA9", "scope must be one scope or resource", "" },
        { "grant x", "scope = https://*", "scope is compared as it is", "* alone" },
        { "grant x", "assertion = maybe", "assertion must be yes or no", "" },
        { "grant x", "environment = 1", "environment must be yes or no", "" },
        { "grant x", "assertion_file = a", "assertion_file must be the path of a file", "" },
        { "grant x", "assertion_file = /a/", "assertion_file must be the path of a file", "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct keystay_error err = { 0 };

        assert_row(parse(rows[i].title, rows[i].line, &err) == KEYSTAY_E_CONFIG, rows[i].line);
        assert_row(
            str_has_prefix(err.message, strchr(rows[i].line, '\n') ? "k.conf:3: " : "k.conf:2: "),
            err.message);
        assert_contains(err.message, rows[i].message);
        assert_contains(err.hint, rows[i].hint);
    }
}

TEST(each_row_is_whole)
{
    for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
        for (size_t i = 0; i < tables[t].table->n; i++) {
            const struct setting *row = &tables[t].table->rows[i];

            assert_row(strspn(row->name, "abcdefghijklmnopqrstuvwxyz_") == strlen(row->name), row->name);
            assert_row(setting_find_key(tables[t].table, row->name) == i, row->name);
            assert_row(row->help != NULL && row->help[0] != '\0', row->name);
            assert_row((row->metavar == NULL) == (row->kind == SETTING_SWITCH), row->name);
            assert_row((row->choices != NULL) == (row->kind == SETTING_CHOICE), row->name);
            assert_row((row->maximum > row->minimum) == (row->kind == SETTING_NUMBER), row->name);
            assert_row(row->kind == SETTING_TEXT || (!row->is_list && row->check == NULL), row->name);
            assert_row(
                row->fallback == NULL || setting_check_row(row, row->fallback, NULL) == KEYSTAY_OK,
                row->name);
            /* The mode of the socket depends on whose agent it is. */
            assert_row(
                row->fallback != NULL || row->kind == SETTING_TEXT || row->kind == SETTING_CHOICE, row->name);
        }
    }
    assert_int_equal(setting_find_key(&agent_settings, "nothing"), agent_settings.n);
}

TEST(good_values_are_taken)
{
    static const struct {
        const char *title, *line;
    } rows[] = {
        { "agent", "socket = /run/k/agent.sock" },
        { "agent", "socket_mode = 0660" },
        { "agent", "listen = 127.0.0.1:0\nlisten = [::1]:65535\nlisten = localhost:40342" },
        { "agent", "imds = yes" },
        { "agent", "profile = a\nprofile = b" },
        { "agent", "metrics_user = prometheus\nmetrics_user = 0\nmetrics_user = 4294967294" },
        { "agent", "max_connections = 65536\nmax_connections_per_user = 4" },
        { "agent", "request_timeout = 3600\nlock_after = 2592000\nlock_on_suspend = yes" },
        { "grant x", "profile = a\nuser = EXAMPLE\\jo doe\nuser = jo@example.com\nuser = -1" },
        { "grant x", "group = domain users\ngroup = 100" },
        { "grant x", "unit = dev-disk\\x2duuid.scope\nunit = a@b.service\nunit = user@1000.service" },
        { "grant x", "scope = *\nscope = https://x//.default" },
        { "grant x", "assertion = yes\nenvironment = no\nassertion_file = /run/a b/c" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(parse(rows[i].title, rows[i].line, NULL) == KEYSTAY_OK, rows[i].line);
    }
}

TEST(a_list_has_64_values_and_no_more)
{
    for (size_t n = AGENT_LIST_MAX; n <= AGENT_LIST_MAX + 1; n++) {
        char lines[600] = "user = 1";
        struct keystay_error err = { 0 };

        for (size_t i = 1; i < n; i++) {
            (void)snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines), "\nuser=1");
        }
        const enum keystay_status status = parse("grant x", lines, &err);
        assert_int_equal(status, n == AGENT_LIST_MAX ? KEYSTAY_OK : KEYSTAY_E_CONFIG);
        assert_true(
            status == KEYSTAY_OK || strstr(err.message, "k.conf:66: user may be given 64 times") != NULL);
    }
}

TEST(a_unit_has_255_bytes_and_no_more)
{
    for (int n = 255; n <= 256; n++) {
        char line[300];

        (void)snprintf(line, sizeof(line), "unit = %0*d.service", n - 8, 0);
        assert_int_equal(parse("grant x", line, NULL), n == 255 ? KEYSTAY_OK : KEYSTAY_E_CONFIG);
    }
}

TEST(an_address_is_of_this_machine_alone)
{
    static const char *const bad[] = {
        "",          "127.0.0.1",       "127.0.0.1:",       "127.0.0.1:65536", "127.0.0.1:080",
        ":80",       "127.0.0.1:-1",    "127.0.0.1:80 ",    "127.0.0.2:80",    "127.1:80",
        "0.0.0.0:1", "[::]:80",         "::1:80",           "[::1]80",         "[::ffff:127.0.0.1]:80",
        "*:80",      "localhost",       "localhost:http",   "LOCALHOST:80",    "localhost.example:80",
        "80",        "127.0.0.1:80:80", "192.168.1.1:8080", "[::1]:",          "http://127.0.0.1:80",
    };
    struct agent_address got[2] = { { 0 } };
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_row(agent_address_parse(bad[i], got, &n, NULL) == KEYSTAY_E_CONFIG, bad[i]);
    }
    assert_int_equal(n, 0);
    assert_ok(agent_address_parse("127.0.0.1:65535", got, &n, NULL));
    assert_true(n == 1 && !got[0].is_v6 && got[0].port == 65535);
    assert_ok(agent_address_parse("[::1]:0", got, &n, NULL));
    assert_true(n == 1 && got[0].is_v6 && got[0].port == 0);
    assert_ok(agent_address_parse("localhost:8080", got, &n, NULL));
    assert_true(n == 2 && !got[0].is_v6 && got[1].is_v6 && got[0].port == 8080 && got[1].port == 8080);
}

TEST(a_number_is_a_number_and_the_rest_are_names)
{
    static const char *const names[] = { "x", "-1", "+1", "1a", "0x10", " 1", "1 ", "1,2" };
    bool is_number = true;
    uint32_t id = 7;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        is_number = true;
        assert_ok(agent_id_parse(names[i], &is_number, &id, NULL));
        assert_row(!is_number && id == 7, names[i]);
    }
    assert_ok(agent_id_parse("4294967294", &is_number, &id, NULL));
    assert_true(is_number && id == 4294967294U);
    assert_ok(agent_id_parse("0", &is_number, &id, NULL));
    assert_true(is_number && id == 0);
    assert_int_equal(agent_id_parse("4294967295", &is_number, &id, NULL), KEYSTAY_E_CONFIG);
    assert_int_equal(agent_id_parse("", &is_number, &id, NULL), KEYSTAY_E_CONFIG);
    assert_int_equal(agent_id_parse("01", &is_number, &id, NULL), KEYSTAY_E_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_told_with_its_line_and_the_fix),
        cmocka_unit_test(each_row_is_whole),
        cmocka_unit_test(good_values_are_taken),
        cmocka_unit_test(a_list_has_64_values_and_no_more),
        cmocka_unit_test(a_unit_has_255_bytes_and_no_more),
        cmocka_unit_test(an_address_is_of_this_machine_alone),
        cmocka_unit_test(a_number_is_a_number_and_the_rest_are_names),
    };

    return RUN_TESTS(tests);
}
