/* SPDX-License-Identifier: Apache-2.0 */
/* An error on its way from one program to another. */
#include "unit.h"

#include <stdio.h>

#include "base/error.h"
#include "base/error_json.h"

static enum keystay_status read_text(const char *text, struct keystay_error *ret_error)
{
    return error_json_read(slice_of_str(text), ret_error);
}

TEST(what_is_written_is_read_again)
{
    struct keystay_error before;
    struct keystay_error after;
    CLEANUP(buf_clear) struct buf text = BUF(ERROR_JSON_MAX);

    (void)err_set_hint(&before, KEYSTAY_E_SERVER_REFUSED, "register \"it\"", "no\nand no");
    before.http_status = 401;
    before.ck_rv = 0x80000001;
    before.aadsts = 700027;
    (void)snprintf(before.oauth_error, sizeof(before.oauth_error), "invalid_client");
    (void)snprintf(before.trace_id, sizeof(before.trace_id), "a-trace");
    (void)snprintf(before.correlation_id, sizeof(before.correlation_id), "an-id");
    assert_ok(error_json_write(&before, &text));
    assert_int_equal(error_json_read(buf_slice(&text), &after), KEYSTAY_E_SERVER_REFUSED);
    assert_memory_equal(&before, &after, offsetof(struct keystay_error, oauth_error));
    assert_string_equal(after.oauth_error, "invalid_client");
    assert_string_equal(after.trace_id, "a-trace");
    assert_string_equal(after.correlation_id, "an-id");
    assert_string_equal(after.message, "no\nand no");
    assert_string_equal(after.hint, "register \"it\"");
}

TEST(what_does_not_apply_is_left_out)
{
    struct keystay_error error;
    CLEANUP(buf_clear) struct buf text = BUF(ERROR_JSON_MAX);

    (void)err_set(&error, KEYSTAY_E_CONFIG, "why");
    assert_ok(error_json_write(&error, &text));
    assert_string_equal(buf_str(&text), "{\"status\":\"config\",\"exit_status\":3,\"message\":\"why\"}");
}

TEST(what_is_no_error_is_a_fault)
{
    static const char *const texts[] = {
        "",
        "no JSON",
        "[]",
        "{}",
        "{\"status\":\"config\"}",
        "{\"status\":\"ok\",\"message\":\"well\"}",
        "{\"status\":3,\"message\":\"why\"}",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct keystay_error error;

        assert_int_equal(read_text(texts[i], &error), KEYSTAY_E_INTERNAL);
        assert_int_equal(error.status, KEYSTAY_E_INTERNAL);
        assert_int_equal(read_text(texts[i], NULL), KEYSTAY_E_INTERNAL);
    }
}

TEST(a_status_of_later_counts_as_internal_and_keeps_its_words)
{
    struct keystay_error error;

    assert_int_equal(
        read_text("{\"status\":\"of_later\",\"message\":\"a\\u001b[1mb\"}", &error), KEYSTAY_E_INTERNAL);
    assert_string_equal(error.message, "a?[1mb");
    assert_string_equal(error.hint, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(what_does_not_apply_is_left_out),
        cmocka_unit_test(what_is_no_error_is_a_fault),
        cmocka_unit_test(a_status_of_later_counts_as_internal_and_keeps_its_words),
    };

    return RUN_TESTS(tests);
}
