/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "base/error.h"
#include "base/str.h"

struct row {
    enum keystay_status status;
    const char *name;
    int exit_status;
};

/* The promise of keystay/error.h, status by status, in its order. */
static const struct row rows[] = {
    { KEYSTAY_OK, "ok", 0 },
    { KEYSTAY_E_USAGE, "usage", 2 },
    { KEYSTAY_E_CONFIG, "config", 3 },
    { KEYSTAY_E_MODULE_LOAD, "module_load", 3 },
    { KEYSTAY_E_AMBIGUOUS, "ambiguous", 3 },
    { KEYSTAY_E_KEY_NOT_FOUND, "key_not_found", 3 },
    { KEYSTAY_E_KEY_REFUSED, "key_refused", 3 },
    { KEYSTAY_E_KEY_MISMATCH, "key_mismatch", 3 },
    { KEYSTAY_E_CERTIFICATE, "certificate", 3 },
    { KEYSTAY_E_ALGORITHM, "algorithm", 3 },
    { KEYSTAY_E_PIN_SOURCE, "pin_source", 3 },
    { KEYSTAY_E_TOKEN_NOT_FOUND, "token_not_found", 4 },
    { KEYSTAY_E_MODULE, "module", 4 },
    { KEYSTAY_E_MODULE_TIMEOUT, "module_timeout", 4 },
    { KEYSTAY_E_PIN_INCORRECT, "pin_incorrect", 8 },
    { KEYSTAY_E_PIN_LOCKED, "pin_locked", 8 },
    { KEYSTAY_E_PIN_EXPIRED, "pin_expired", 8 },
    { KEYSTAY_E_PIN_REFUSED, "pin_refused", 8 },
    { KEYSTAY_E_NETWORK, "network", 5 },
    { KEYSTAY_E_TLS, "tls", 5 },
    { KEYSTAY_E_TIMEOUT, "timeout", 5 },
    { KEYSTAY_E_THROTTLED, "throttled", 5 },
    { KEYSTAY_E_SERVER_DOWN, "server_down", 5 },
    { KEYSTAY_E_SERVER_REFUSED, "server_refused", 6 },
    { KEYSTAY_E_SERVER_RESPONSE, "server_response", 6 },
    { KEYSTAY_E_SERVER_TOKEN_TYPE, "server_token_type", 6 },
    { KEYSTAY_E_OUTPUT, "output", 70 },
    { KEYSTAY_E_NO_MEMORY, "no_memory", 70 },
    { KEYSTAY_E_INTERNAL, "internal", 70 },
    { KEYSTAY_E_INTERRUPTED, "interrupted", 130 },
    { KEYSTAY_E_ANSWER_NO, "answer_no", 1 },
    { KEYSTAY_E_KEY_FILE, "key_file", 3 },
    { KEYSTAY_E_AGENT, "agent", 7 },
};

TEST(a_null_error_is_fine_everywhere)
{
    assert_int_equal(err_set(NULL, KEYSTAY_E_TLS, "x"), KEYSTAY_E_TLS);
    assert_int_equal(err_set_hint(NULL, KEYSTAY_E_TLS, "x", "y"), KEYSTAY_E_TLS);
    assert_int_equal(err_hint(NULL, KEYSTAY_E_TLS, "x"), KEYSTAY_E_TLS);
    assert_int_equal(err_prefix(NULL, KEYSTAY_E_TLS, "x"), KEYSTAY_E_TLS);
    assert_int_equal(err_no_memory(NULL), KEYSTAY_E_NO_MEMORY);
    err_append(NULL, "x");
}

TEST(a_status_that_does_not_exist_counts_as_internal)
{
    static const int strange[] = { KEYSTAY_E_AGENT + 1, 9999, -1 };

    for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
        assert_string_equal(keystay_status_name((enum keystay_status)strange[i]), "internal");
        assert_int_equal(keystay_status_exit((enum keystay_status)strange[i]), 70);
    }
}

TEST(every_status_has_its_name_and_exit_status)
{
    assert_int_equal(ARRAY_LEN(rows), KEYSTAY_E_AGENT + 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(rows[i].status, i);
        assert_string_equal(keystay_status_name(rows[i].status), rows[i].name);
        assert_row(keystay_status_exit(rows[i].status) == rows[i].exit_status, rows[i].name);
    }
}

TEST(set_clears_what_was_there)
{
    struct keystay_error err;

    memset(&err, 'x', sizeof(err));
    assert_int_equal(err_set(&err, KEYSTAY_E_TLS, "%s %d", "a", 7), KEYSTAY_E_TLS);
    assert_string_equal(err.message, "a 7");
    assert_int_equal(err.status, KEYSTAY_E_TLS);
    assert_string_equal(err.hint, "");
    assert_string_equal(err.oauth_error, "");
    assert_string_equal(err.trace_id, "");
    assert_string_equal(err.correlation_id, "");
    assert_true(err.http_status == 0 && err.ck_rv == 0 && err.aadsts == 0);
}

TEST(a_hint_is_set_and_replaced)
{
    struct keystay_error err;

    assert_int_equal(err_set_hint(&err, KEYSTAY_E_TLS, "100 %s", "m"), KEYSTAY_E_TLS);
    assert_string_equal(err.hint, "100 %s"); /* a text, not a format */
    assert_int_equal(err_hint(&err, KEYSTAY_E_TLS, "%d", 5), KEYSTAY_E_TLS);
    assert_string_equal(err.hint, "5");
    assert_string_equal(err.message, "m");
}

TEST(prefix_and_append_keep_the_rest)
{
    struct keystay_error err;

    (void)err_set_hint(&err, KEYSTAY_E_TLS, "hint", "middle");
    err.ck_rv = 5;
    assert_int_equal(err_prefix(&err, KEYSTAY_E_TLS, "%s", "before"), KEYSTAY_E_TLS);
    err_append(&err, "\n  %s", "after");
    assert_string_equal(err.message, "before: middle\n  after");
    assert_string_equal(err.hint, "hint");
    assert_int_equal(err.ck_rv, 5);
}

TEST(a_message_is_cut_where_it_is_full)
{
    struct keystay_error err;
    char text[KEYSTAY_ERROR_MESSAGE_SIZE + 100];

    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    (void)err_set(&err, KEYSTAY_E_TLS, "%s", text);
    assert_int_equal(strlen(err.message), KEYSTAY_ERROR_MESSAGE_SIZE - 1);
    err_append(&err, "b");
    assert_int_equal(strlen(err.message), KEYSTAY_ERROR_MESSAGE_SIZE - 1);
    (void)err_prefix(&err, KEYSTAY_E_TLS, "front");
    assert_true(str_has_prefix(err.message, "front: aaa"));
    assert_int_equal(strlen(err.message), KEYSTAY_ERROR_MESSAGE_SIZE - 1);
    (void)err_hint(&err, KEYSTAY_E_TLS, "%s", text);
    assert_int_equal(strlen(err.hint), KEYSTAY_ERROR_HINT_SIZE - 1);
}

/* Two-byte characters: whichever byte the cut falls on, none is left in halves. */
TEST(a_cut_leaves_no_half_character)
{
    char text[KEYSTAY_ERROR_MESSAGE_SIZE + 8];

    for (size_t shift = 0; shift < 2; shift++) {
        struct keystay_error err;
        size_t at = 0;

        memset(text, 'a', shift);
        for (at = shift; at + 2 < sizeof(text); at += 2) {
            memcpy(text + at, "\xC3\xA9", 2);
        }
        text[at] = '\0';
        (void)err_set(&err, KEYSTAY_E_TLS, "%s", text);
        assert_tame(err.message);
        (void)err_prefix(&err, KEYSTAY_E_TLS, "%s", "p");
        assert_tame(err.message);
    }
}

TEST(what_steers_a_terminal_becomes_a_question_mark)
{
    struct keystay_error err;

    (void)err_set_hint(&err, KEYSTAY_E_TLS, "\x1B[1mhint", "%s", "a\x1B]0;title\x07 \xC2\x9B b\r\t\xFF");
    assert_string_equal(err.message, "a?]0;title? ? b???");
    assert_string_equal(err.hint, "?[1mhint");
    (void)err_prefix(&err, KEYSTAY_E_TLS, "%s", "\x1B");
    err_append(&err, "%s", "\xE2\x80\xAE");
    assert_tame(err.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_null_error_is_fine_everywhere),
        cmocka_unit_test(a_status_that_does_not_exist_counts_as_internal),
        cmocka_unit_test(every_status_has_its_name_and_exit_status),
        cmocka_unit_test(set_clears_what_was_there),
        cmocka_unit_test(a_hint_is_set_and_replaced),
        cmocka_unit_test(prefix_and_append_keep_the_rest),
        cmocka_unit_test(a_message_is_cut_where_it_is_full),
        cmocka_unit_test(a_cut_leaves_no_half_character),
        cmocka_unit_test(what_steers_a_terminal_becomes_a_question_mark),
    };

    return RUN_TESTS(tests);
}
