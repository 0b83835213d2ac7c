/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/json.h"
#include "base/json_raw.h"
#include "base/str.h"

static void put(const char *text, struct buf *to)
{
    CLEANUP(json_freep) struct json *json = NULL;

    assert_ok(json_parse_object(slice_of_str(text), &json, NULL));
    assert_ok(json_raw_put(slice_of_str(text), to, NULL));
}

TEST(takes_members_off_in_their_order)
{
    static const char *const rows[] = {
        "{}",
        " { } ",
        "{\"a\":1}",
        "{\"a\" : 1 , \"b\":\"x\"}\n",
        "{\"a\":{\"b\":[1,{\"c\":\"}\"}]},\"d\":[],\"e\":null}",
        "\t{\"a\":\",\",\"b\":\"\\\"},{\",\"c\\\\\":[ 1 , 2 ] }",
        "{\"\":\"\",\"x\\\"y\":-1.5e+3}",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_freep) struct json *json = NULL;
        struct slice rest = slice_of_str(rows[i]);
        struct slice name;
        struct slice value;

        assert_ok(json_parse_object(rest, &json, NULL));
        const struct json *member = json_first(json);
        for (; json_raw_member(&rest, &name, &value); member = json_next(member)) {
            CLEANUP(buf_clear) struct buf text = BUF(256);
            CLEANUP(json_freep) struct json *again = NULL;

            /* What was taken off means the same on its own. */
            assert_row(member != NULL, rows[i]);
            assert_ok(buf_putc(&text, '{', NULL));
            assert_ok(buf_put(&text, name, NULL));
            assert_ok(buf_putc(&text, ':', NULL));
            assert_ok(buf_put(&text, value, NULL));
            assert_ok(buf_putc(&text, '}', NULL));
            assert_row(json_parse_object(buf_slice(&text), &again, NULL) == KEYSTAY_OK, rows[i]);
            assert_string_equal(json_name(json_first(again)), json_name(member));
            assert_int_equal(json_type(json_first(again)), json_type(member));
        }
        assert_row(member == NULL, rows[i]);
    }
}

TEST(a_value_is_as_it_was_written)
{
    struct slice rest = SLICE("{\"n\": 12345678901234567890 ,\"s\":\"\\u00e9\", \"a\" :[ 1, 2 ]}");
    struct slice name;
    struct slice value;

    assert_true(json_raw_member(&rest, &name, &value));
    assert_slice(name, "\"n\"");
    assert_slice(value, "12345678901234567890");
    assert_true(json_raw_member(&rest, &name, &value));
    assert_slice(value, "\"\\u00e9\"");
    assert_true(json_raw_member(&rest, &name, &value));
    assert_slice(name, "\"a\"");
    assert_slice(value, "[ 1, 2 ]");
    assert_false(json_raw_member(&rest, &name, &value));
    assert_false(json_raw_member(&rest, &name, &value));
}

TEST(puts_text_without_blanks)
{
    static const struct {
        const char *text, *put;
    } rows[] = {
        { "{}", "{}" },
        { " { \"a\" : [ 1 ,\t2 ] ,\r\n \"b c\" : \" x \" }\n", "{\"a\":[1,2],\"b c\":\" x \"}" },
        { "{\"a\":\"\\\" , \\\\\",\"b\":1}", "{\"a\":\"\\\" , \\\\\",\"b\":1}" },
        { "{\"a\":\"\xC3\xA9\xF0\x9F\x98\x80\"}", "{\"a\":\"\xC3\xA9\xF0\x9F\x98\x80\"}" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf text = BUF(256);
        put(rows[i].text, &text);
        assert_buf(&text, rows[i].put);
    }
}

TEST(what_could_steer_a_terminal_is_escaped)
{
    CLEANUP(buf_clear) struct buf text = BUF(256);

    put("{\"a\x7F\":\"\xC2\x9B[2J\xE2\x80\xAE\xE2\x81\xA6\"}", &text);
    assert_buf(&text, "{\"a\\u007f\":\"\\u009b[2J\\u202e\\u2066\"}");
}

TEST(a_full_buffer_is_told)
{
    static const char text[] = "{\"a\":\"\x7F\"}";

    for (size_t max = 0; max < 14; max++) {
        CLEANUP(buf_clear) struct buf to = BUF(max);
        assert_int_equal(
            json_raw_put(slice_of_str(text), &to, NULL), max < 14 ? KEYSTAY_E_NO_MEMORY : KEYSTAY_OK);
    }
}

/* Never meant for it, but it must not read beyond its end. */
TEST(text_that_was_never_checked_does_no_harm)
{
    static const char *const rows[] = {
        "",          "{",           "{\"",  "{\"a",         "{\"a\"",   "{\"a\":",
        "{\"a\":\"", "{\"a\":\"\\", "\"\\", "}}",           "{\"a\":]", "{\"a\":}",
        "{\"a\":[[", ",",           "{,,,", "{\"a\"\"b\"}", "\"\xFF\"", "{\"\xC3",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf exact = BUF(64);
        CLEANUP(buf_clear) struct buf to = BUF(64);
        struct slice name;
        struct slice value;

        assert_ok(buf_puts(&exact, rows[i], NULL));
        struct slice rest = buf_slice(&exact);
        for (int n = 0; json_raw_member(&rest, &name, &value); n++) {
            assert_true(n < 10);
        }
        (void)json_raw_put(buf_slice(&exact), &to, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_members_off_in_their_order),
        cmocka_unit_test(a_value_is_as_it_was_written),
        cmocka_unit_test(puts_text_without_blanks),
        cmocka_unit_test(what_could_steer_a_terminal_is_escaped),
        cmocka_unit_test(a_full_buffer_is_told),
        cmocka_unit_test(text_that_was_never_checked_does_no_harm),
    };

    return RUN_TESTS(tests);
}
