/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/json.h"
#include "base/json_write.h"

TEST(an_object_without_members_is_one_too)
{
    CLEANUP(buf_clear) struct buf text = BUF(64);
    struct json_write out = JSON_WRITE(&text);

    assert_ok(json_write_end(&out, NULL));
    assert_buf(&text, "{}");
}

TEST(writes_members_in_their_order_without_blanks)
{
    CLEANUP(buf_clear) struct buf text = BUF(128);
    struct json_write out = JSON_WRITE(&text);

    assert_ok(json_write_str(&out, "b", "x", NULL));
    assert_ok(json_write_i64(&out, "a", 600, NULL));
    assert_ok(json_write_slice(&out, "s", SLICE("yz"), NULL));
    assert_ok(json_write_i64(&out, "n", -1, NULL));
    assert_ok(json_write_end(&out, NULL));
    assert_buf(&text, "{\"b\":\"x\",\"a\":600,\"s\":\"yz\",\"n\":-1}");
}

TEST(writes_the_largest_numbers_whole)
{
    CLEANUP(buf_clear) struct buf text = BUF(128);
    struct json_write out = JSON_WRITE(&text);

    assert_ok(json_write_i64(&out, "a", INT64_MAX, NULL));
    assert_ok(json_write_i64(&out, "b", INT64_MIN, NULL));
    assert_ok(json_write_end(&out, NULL));
    assert_buf(&text, "{\"a\":9223372036854775807,\"b\":-9223372036854775808}");
}

TEST(a_cap_that_is_too_small_is_told)
{
    for (size_t max = 0; max < 9; max++) {
        CLEANUP(buf_clear) struct buf text = BUF(max);
        struct json_write out = JSON_WRITE(&text);
        enum keystay_status status = json_write_str(&out, "a", "b", NULL);

        status = status == KEYSTAY_OK ? json_write_end(&out, NULL) : status;
        assert_int_equal(status, max == 9 ? KEYSTAY_OK : KEYSTAY_E_NO_MEMORY);
    }
}

TEST(escapes_what_json_wants_escaped_and_nothing_else)
{
    static const struct {
        struct slice value;
        const char *text;
    } rows[] = {
        { SLICE(""), "{\"v\":\"\"}" },
        { SLICE("a\"b"), "{\"v\":\"a\\\"b\"}" },
        { SLICE("\\"), "{\"v\":\"\\\\\"}" },
        { SLICE("\",\"admin\":\"1"), "{\"v\":\"\\\",\\\"admin\\\":\\\"1\"}" },
        { SLICE("/\x7F"), "{\"v\":\"/\x7F\"}" },
        { SLICE("\n\t\x1F"), "{\"v\":\"\\u000a\\u0009\\u001f\"}" },
        { SLICE("a\0b"), "{\"v\":\"a\\u0000b\"}" },
        { SLICE("\xC3\xA9\xF0\x9F\x98\x80"), "{\"v\":\"\xC3\xA9\xF0\x9F\x98\x80\"}" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf text = BUF(128);
        struct json_write out = JSON_WRITE(&text);

        assert_ok(json_write_slice(&out, "v", rows[i].value, NULL));
        assert_ok(json_write_end(&out, NULL));
        assert_buf(&text, rows[i].text);
    }
}

TEST(a_name_is_escaped_like_a_value)
{
    CLEANUP(buf_clear) struct buf text = BUF(64);
    struct json_write out = JSON_WRITE(&text);

    assert_ok(json_write_i64(&out, "a\"b", 1, NULL));
    assert_ok(json_write_end(&out, NULL));
    assert_buf(&text, "{\"a\\\"b\":1}");
}

TEST(what_is_not_utf8_is_refused)
{
    CLEANUP(buf_clear) struct buf text = BUF(64);
    struct json_write out = JSON_WRITE(&text);
    struct keystay_error err;

    assert_int_equal(json_write_str(&out, "a", "\xFF", &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, "UTF-8");
}

TEST(every_character_can_be_read_back)
{
    CLEANUP(buf_clear) struct buf text = BUF(2048);
    CLEANUP(json_freep) struct json *json = NULL;
    struct json_write out = JSON_WRITE(&text);
    char all[128];

    for (int c = 1; c < 128; c++) {
        all[c - 1] = (char)c;
    }
    all[127] = '\0';
    assert_ok(json_write_str(&out, "all", all, NULL));
    assert_ok(json_write_end(&out, NULL));
    assert_ok(json_parse_object(buf_slice(&text), &json, NULL));
    assert_string_equal(json_str_or_null(json, "all"), all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_without_members_is_one_too),
        cmocka_unit_test(writes_members_in_their_order_without_blanks),
        cmocka_unit_test(writes_the_largest_numbers_whole),
        cmocka_unit_test(a_cap_that_is_too_small_is_told),
        cmocka_unit_test(escapes_what_json_wants_escaped_and_nothing_else),
        cmocka_unit_test(a_name_is_escaped_like_a_value),
        cmocka_unit_test(what_is_not_utf8_is_refused),
        cmocka_unit_test(every_character_can_be_read_back),
    };

    return RUN_TESTS(tests);
}
