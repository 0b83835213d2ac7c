/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/json_check.h"

enum { DEPTH = 4 };

TEST(no_text_is_no_json)
{
    struct keystay_error err;

    assert_int_equal(json_check((struct slice){ NULL, 0 }, DEPTH, &err), KEYSTAY_E_SERVER_RESPONSE);
    assert_contains(err.message, "empty");
    assert_int_equal(json_check(SLICE("x"), DEPTH, NULL), KEYSTAY_E_SERVER_RESPONSE);
}

TEST(accepts_what_the_rfc_allows)
{
    static const char *const rows[] = {
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "10",
        "-1.5e+10",
        "1E-2",
        "0.0",
        "0e0",
        "123456789012345678901234567890",
        "\"\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u00e9\\uABCD\"",
        "\"\\ud83d\\ude00\"",
        "\"\\uDBFF\\uDFFF\"",
        "\"\xC3\xA9 \xF0\x9F\x98\x80 \x7F\"",
        " \t\r\n{ \"a\" : 1 , \"b\" : [ ] } \t\r\n",
        "[1,2,3]",
        "{\"a\":{\"b\":[{}]}}",
        "{\"a\":1,\"a\":2}", /* RFC 8259 §4: the grammar allows it; base/json does not */
        "{\"\":null}",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(json_check(slice_of_str(rows[i]), DEPTH, NULL) == KEYSTAY_OK, rows[i]);
    }
}

TEST(counts_depth_in_objects_and_arrays)
{
    assert_ok(json_check(SLICE("[[[[]]]]"), DEPTH, NULL));
    assert_int_equal(json_check(SLICE("[[[[[]]]]]"), DEPTH, NULL), KEYSTAY_E_SERVER_RESPONSE);
    assert_ok(json_check(SLICE("{\"a\":{\"a\":{\"a\":{}}}}"), DEPTH, NULL));
    assert_int_equal(
        json_check(SLICE("{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}"), DEPTH, NULL), KEYSTAY_E_SERVER_RESPONSE);
    assert_int_equal(json_check(SLICE("[]"), 0, NULL), KEYSTAY_E_SERVER_RESPONSE);
    assert_ok(json_check(SLICE("1"), 0, NULL));
}

TEST(siblings_do_not_count_as_depth)
{
    assert_ok(json_check(SLICE("[[],[],[],[],[],[],{},{}]"), 2, NULL));
}

static const char *const broken[] = {
    " ",
    "{",
    "}",
    "[",
    "]",
    "[1,]",
    "[,1]",
    "[,]",
    "[1 2]",
    "[1}",
    "{\"a\":1]",
    "{\"a\":1,}",
    "{,}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\" 1}",
    "{\"a\":1 \"b\":2}",
    "{a:1}",
    "{'a':1}",
    "{1:1}",
    "{null:1}",
    "'a'",
    "{} x",
    "{}{}",
    "{},",
    "1 2",
    "// x\n{}",
    "/* x */{}",
    "# x\n{}",
    "undefined",
};

static const char *const bad_numbers[] = {
    "01", "-01", "00",   "1.",  ".5",  "-.5", "+1",  "1e",        "1e+", "1.e1",  "e1",
    "-",  "--1", "0x10", "1_0", "1,0", "NaN", "inf", "-Infinity", "1f",  "1.0.0",
};

static const char *const bad_words[] = {
    "nul", "nulll", "True", "TRUE", "fals", "truefalse", "n", "t", "f",
};

static const char *const bad_strings[] = {
    "\"",
    "\"a",
    "\"\\\"",
    "\"\\",
    "\"\\x41\"",
    "\"\\'\"",
    "\"\\0\"",
    "\"\\U0041\"",
    "\"\\u\"",
    "\"\\u12\"",
    "\"\\u12G4\"",
    "\"\\u-123\"",
    "\"\\u 123\"",
    "\"\\u0000\"", /* a C string would end there */
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\ud800\\ud800\"",
    "\"\\ud800x\"",
    "\"\\ud800\\n\"",
    "\"\\ud800\\udbff\"",
    "\"\\udc00\\ud800\"",
    "\"a\tb\"",
    "\"a\nb\"",
    "\"a\x01"
    "b\"",
    "\"a\x1F"
    "b\"",
    "{\"a\nb\":1}",
};

static void refuse_all(const char *const *rows, size_t n_rows)
{
    for (size_t i = 0; i < n_rows; i++) {
        assert_row(json_check(slice_of_str(rows[i]), DEPTH, NULL) == KEYSTAY_E_SERVER_RESPONSE, rows[i]);
    }
}

TEST(refuses_what_only_looks_like_json)
{
    refuse_all(broken, ARRAY_LEN(broken));
    refuse_all(bad_numbers, ARRAY_LEN(bad_numbers));
    refuse_all(bad_words, ARRAY_LEN(bad_words));
    refuse_all(bad_strings, ARRAY_LEN(bad_strings));
}

TEST(refuses_other_encodings_and_stray_bytes)
{
    static const struct slice rows[] = {
        SLICE("\xEF\xBB\xBF{}"),       /* byte order mark */
        SLICE("\xFF\xFE{\0}\0"),       /* UTF-16 */
        SLICE("{\0}"),                 /* UTF-16 without a mark */
        SLICE("{}\0"),                 /* a NUL behind it */
        SLICE("\0{}"),                 /* and before it */
        SLICE("\"a\0b\""),             /* and inside a string */
        SLICE("\"\xC3\""),             /* half a character */
        SLICE("\"\xC0\xAF\""),         /* overlong */
        SLICE("\"\xED\xA0\x80\""),     /* surrogate */
        SLICE("\"\xF4\x90\x80\x80\""), /* above U+10FFFF */
        SLICE("\"\x80\""),             /* no lead byte */
        SLICE("\x0B{}"),               /* vertical tab is no blank */
        SLICE("\x0C{}"),               /* form feed neither */
        SLICE("\xC2\xA0{}"),           /* no-break space neither */
        SLICE("{}\x1A"),               /* an end-of-file mark of old */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(json_check(rows[i], DEPTH, NULL) == KEYSTAY_E_SERVER_RESPONSE, (const char *)rows[i].data);
    }
}

/* Whatever an object is cut to, it is none any more; and the scanner must not read past the cut (ASan). */
TEST(a_cut_object_is_never_json)
{
    static const char text[] = "{\"a\":[1.5e3,true,null,\"x\\u00e9\\ud83d\\ude00\"],\"b\":{\"c\":false}}";

    assert_ok(json_check(SLICE(text), DEPTH, NULL));
    for (size_t len = 1; len < sizeof(text) - 1; len++) {
        CLEANUP(buf_clear) struct buf cut = BUF(sizeof(text));
        assert_ok(buf_put(&cut, (struct slice){ (const uint8_t *)text, len }, NULL));
        assert_row(json_check(buf_slice(&cut), DEPTH, NULL) == KEYSTAY_E_SERVER_RESPONSE, buf_str(&cut));
    }
}

TEST(ten_thousand_brackets_do_not_exhaust_the_stack)
{
    static uint8_t brackets[10000];

    memset(brackets, '[', sizeof(brackets));
    assert_int_equal(
        json_check((struct slice){ brackets, sizeof(brackets) }, 16, NULL), KEYSTAY_E_SERVER_RESPONSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_text_is_no_json),
        cmocka_unit_test(accepts_what_the_rfc_allows),
        cmocka_unit_test(counts_depth_in_objects_and_arrays),
        cmocka_unit_test(siblings_do_not_count_as_depth),
        cmocka_unit_test(refuses_what_only_looks_like_json),
        cmocka_unit_test(refuses_other_encodings_and_stray_bytes),
        cmocka_unit_test(a_cut_object_is_never_json),
        cmocka_unit_test(ten_thousand_brackets_do_not_exhaust_the_stack),
    };

    return RUN_TESTS(tests);
}
