/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "base/json.h"
#include "cli/token_format.h"
#include "oauth/access_token.h"

enum { NOW_S = 1700000000, TEXT_MAX = 4096 };

/* Every character that a token may have (RFC 6750 §2.1 is narrower), those that shells and curl know first.
 */
static const char odd_token[] = "'\"\\$`!%n#&;|<>(){}[]*?~^=+/.,:-_@09AZaz''\\\\\"\"";

/* Appends the token in the form. */
static void write_as(const char *name, const char *exec_info, const char *value, struct buf *to)
{
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    struct token_format format;

    assert_ok(token_new(&token, NULL));
    assert_ok(secret_set(&token->value, slice_of_str(value), NULL));
    token->expires_at_s = NOW_S + 3600;
    assert_ok(token_format_choose(name, exec_info, &format, NULL));
    assert_ok(token_format_write(&format, token, NOW_S, to, NULL));
}

TEST(an_unknown_form_is_a_fault_of_the_caller)
{
    struct token_format format;

    assert_int_equal(token_format_choose("yaml", NULL, &format, NULL), KEYSTAY_E_INTERNAL);
}

TEST(writes_each_form)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        { NULL, "abc\n" },
        { "raw", "abc\n" },
        { "json", "{\"access_token\":\"abc\",\"token_type\":\"Bearer\",\"expires_in\":3600,"
                  "\"expires_on\":1700003600}\n" },
        { "header", "Authorization: Bearer abc\n" },
        { "env", "KEYSTAY_ACCESS_TOKEN='abc'\n" },
        { "curl", "header = \"Authorization: Bearer abc\"\n" },
        { "exec-credential",
          "{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{"
          "\"expirationTimestamp\":\"2023-11-14T23:13:20Z\",\"token\":\"abc\"}}\n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf text = BUF(TEXT_MAX);
        write_as(rows[i].name, NULL, "abc", &text);
        assert_buf(&text, rows[i].text);
    }
}

TEST(kubectl_gets_the_version_that_it_asks_for)
{
    static const struct {
        const char *exec_info, *version; /* NULL: refused */
    } rows[] = {
        { "{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\","
          "\"spec\":{\"interactive\":false}}",
          "client.authentication.k8s.io/v1" },
        { "{\"apiVersion\":\"client.authentication.k8s.io/v1beta1\"}",
          "client.authentication.k8s.io/v1beta1" },
        { "{\"apiVersion\":\"client.authentication.k8s.io/v1alpha1\"}", NULL },
        { "{\"apiVersion\":\"client.authentication.k8s.io/v1\\n\"}", NULL },
        { "{\"apiVersion\":1}", NULL },
        { "{\"apiVersion\":\"\"}", NULL },
        { "{}", NULL },
        { "", NULL },
        { "[]", NULL },
        { "{\"apiVersion\":\"client.authentication.k8s.io/v1\"", NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct token_format format = { 0 };
        struct keystay_error err = { 0 };
        enum keystay_status status = token_format_choose("exec-credential", rows[i].exec_info, &format, &err);

        assert_row(status == (rows[i].version == NULL ? KEYSTAY_E_CONFIG : KEYSTAY_OK), rows[i].exec_info);
        assert_string_equal(format.api_version, rows[i].version == NULL ? "" : rows[i].version);
        assert_row(status == KEYSTAY_OK || strstr(err.message, "KUBERNETES_EXEC_INFO"), rows[i].exec_info);
    }
}

TEST(what_kubectl_asks_for_is_of_no_interest_elsewhere)
{
    struct token_format format;

    assert_ok(token_format_choose("raw", "{", &format, NULL));
}

/* A shell, curl and JSON readers are asked themselves in tests/e2e; here the letters of their grammars. */
TEST(quotes_are_written_as_each_reader_wants_them)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        { "raw", "a'b\"c\\d$\n" },
        { "header", "Authorization: Bearer a'b\"c\\d$\n" },
        { "env", "KEYSTAY_ACCESS_TOKEN='a'\\''b\"c\\d$'\n" },
        { "curl", "header = \"Authorization: Bearer a'b\\\"c\\\\d$\"\n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf text = BUF(TEXT_MAX);
        write_as(rows[i].name, NULL, "a'b\"c\\d$", &text);
        assert_buf(&text, rows[i].text);
    }
}

TEST(json_keeps_every_character)
{
    static const char *const names[] = { "json", "exec-credential" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(buf_clear) struct buf text = BUF(TEXT_MAX);
        CLEANUP(json_freep) struct json *json = NULL;

        write_as(names[i], NULL, odd_token, &text);
        assert_ok(json_parse_object(buf_slice(&text), &json, NULL));
        const struct json *object = i == 0 ? json : json_member(json, "status");
        assert_string_equal(json_str_or_null(object, i == 0 ? "access_token" : "token"), odd_token);
    }
}

/* The shell itself reads what is written for it. */
TEST(a_shell_gets_every_character)
{
    CLEANUP(buf_clear) struct buf text = BUF(TEXT_MAX);
    char read[TEXT_MAX] = "";

    write_as("env", NULL, odd_token, &text);
    assert_ok(buf_puts(&text, "printf %s \"$KEYSTAY_ACCESS_TOKEN\"\n", NULL));
    struct temp_file script = temp_file(buf_slice(&text));
    char command[128];
    (void)snprintf(command, sizeof(command), "sh %s", script.path);
    FILE *shell = popen(command, "r"); /* NOLINT(cert-env33-c): a test of what a shell makes of it */
    assert_non_null(shell);
    assert_true(fread(read, 1, sizeof(read) - 1, shell) > 0);
    assert_int_equal(pclose(shell), 0);
    temp_file_remove(&script);
    assert_string_equal(read, odd_token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_form_is_a_fault_of_the_caller),
        cmocka_unit_test(writes_each_form),
        cmocka_unit_test(kubectl_gets_the_version_that_it_asks_for),
        cmocka_unit_test(what_kubectl_asks_for_is_of_no_interest_elsewhere),
        cmocka_unit_test(quotes_are_written_as_each_reader_wants_them),
        cmocka_unit_test(json_keeps_every_character),
        cmocka_unit_test(a_shell_gets_every_character),
    };

    return RUN_TESTS(tests);
}
