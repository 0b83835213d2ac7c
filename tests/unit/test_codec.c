/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "pkcs11/isolated/codec.h"

enum { SMALL = 64 };

static struct decode reading(struct slice bytes)
{
    return (struct decode){ .rest = bytes };
}

TEST(nothing_more_comes_of_an_input_that_has_failed)
{
    struct decode in = reading(SLICE("\0\0\0\1\0\0\0\2hi"));
    char text[4] = "old";

    assert_int_equal(decode_u32(&in, 0), 0); /* more than its cap */
    assert_true(in.has_failed);
    assert_int_equal(decode_u8(&in), 0);
    assert_int_equal(decode_u32(&in, UINT32_MAX), 0);
    assert_int_equal(decode_u64(&in), 0);
    assert_int_equal(decode_i64(&in), 0);
    assert_false(decode_bool(&in));
    assert_int_equal(decode_bytes(&in, SMALL).len, 0);
    decode_text(&in, text, sizeof(text));
    assert_string_equal(text, "");
    assert_null(decode_text_or_null(&in, SMALL));
    assert_int_equal(decode_end(&in, NULL), KEYSTAY_E_INTERNAL);
}

TEST(an_output_that_overflowed_stays_empty_and_says_so)
{
    CLEANUP(buf_clear) struct buf to = BUF(8);
    struct keystay_error err;

    encode_u64(&to, 1);
    assert_ok(encode_end(&to, &err));
    encode_u8(&to, 1);
    assert_int_equal(to.len, 0);
    encode_u8(&to, 1);
    assert_int_equal(to.len, 0);
    assert_int_equal(encode_end(&to, &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, "too long");
}

TEST(each_kind_stands_as_it_is_specified)
{
    CLEANUP(buf_clear) struct buf to = BUF(SMALL);
    static const uint8_t expected[] = { 0x7F, 0x01, 0x02, 0x03, 0x04, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB,
                                        0xFA, 0xF9, 0xF8, 0,    0,    0,    2,    'a',  'b',  0,
                                        1,    0,    0,    0,    1,    'c',  0,    0,    0,    0 };

    encode_u8(&to, 0x7F);
    encode_u32(&to, 0x01020304);
    encode_u64(&to, 0xFFFEFDFCFBFAF9F8);
    encode_bytes(&to, SLICE("ab"));
    encode_text_or_null(&to, NULL);
    encode_text_or_null(&to, "c");
    encode_text(&to, "");
    assert_int_equal(to.len, sizeof(expected));
    assert_memory_equal(to.data, expected, sizeof(expected));
}

TEST(what_was_written_is_read)
{
    CLEANUP(buf_clear) struct buf to = BUF(SMALL);
    char text[8];

    encode_u8(&to, 255);
    encode_u8(&to, 1);
    encode_u32(&to, UINT32_MAX);
    encode_u64(&to, UINT64_MAX);
    encode_u64(&to, (uint64_t)INT64_MIN);
    encode_text(&to, "Schlüss");
    encode_text_or_null(&to, "");
    encode_text_or_null(&to, NULL);
    struct decode in = reading(buf_slice(&to));
    assert_int_equal(decode_u8(&in), 255);
    assert_true(decode_bool(&in));
    assert_int_equal(decode_u32(&in, UINT32_MAX), UINT32_MAX);
    assert_true(decode_u64(&in) == UINT64_MAX);
    assert_true(decode_i64(&in) == INT64_MIN);
    decode_text(&in, text, sizeof(text));
    assert_true(in.has_failed); /* eight bytes and a NUL do not fit into eight */

    in = reading((struct slice){ to.data + 22, to.len - 22 });
    char room[9];
    decode_text(&in, room, sizeof(room));
    assert_string_equal(room, "Schlüss");
    CLEANUP(freep) char *empty = decode_text_or_null(&in, 0);
    assert_string_equal(empty, "");
    assert_null(decode_text_or_null(&in, 0));
    assert_ok(decode_end(&in, NULL));
}

TEST(caps_are_reached_and_not_passed)
{
    struct slice seven = SLICE("\0\0\0\7seven b");
    struct decode in = reading(seven);
    char text[8];

    assert_int_equal(decode_bytes(&in, 7).len, 7);
    assert_ok(decode_end(&in, NULL));
    in = reading(seven);
    assert_int_equal(decode_bytes(&in, 6).len, 0);
    assert_int_equal(decode_end(&in, NULL), KEYSTAY_E_INTERNAL);
    in = reading(seven);
    decode_text(&in, text, 8);
    assert_string_equal(text, "seven b");
    in = reading(seven);
    decode_text(&in, text, 7);
    assert_string_equal(text, "");
    assert_true(in.has_failed);
    in = reading(SLICE("\0\0\0\7"));
    assert_int_equal(decode_u32(&in, 7), 7);
    in = reading(SLICE("\0\0\0\7"));
    assert_int_equal(decode_u32(&in, 6), 0);
    assert_true(in.has_failed);
}

/* As the number of a length: it neither wraps around nor is believed. */
TEST(lengths_that_lie_are_not_followed)
{
    static const struct {
        const char *name;
        struct slice bytes;
    } rows[] = {
        { "one byte too few", { (const uint8_t *)"\0\0\0\4abc", 7 } },
        { "nothing behind it", { (const uint8_t *)"\0\0\0\1", 4 } },
        { "all ones", { (const uint8_t *)"\377\377\377\377abc", 7 } },
        { "the sign bit", { (const uint8_t *)"\200\0\0\0abc", 7 } },
        { "half a length", { (const uint8_t *)"\0\0\0", 3 } },
        { "no length", { NULL, 0 } },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct decode in = reading(rows[i].bytes);

        assert_row(decode_bytes(&in, SIZE_MAX).len == 0, rows[i].name);
        assert_row(decode_end(&in, NULL) == KEYSTAY_E_INTERNAL, rows[i].name);
    }
}

TEST(texts_are_utf8_without_a_nul)
{
    static const struct {
        const char *name;
        struct slice bytes;
    } rows[] = {
        { "a NUL inside", { (const uint8_t *)"\0\0\0\3a\0b", 7 } },
        { "a NUL at the end", { (const uint8_t *)"\0\0\0\2a\0", 6 } },
        { "half a character", { (const uint8_t *)"\0\0\0\2a\303", 6 } },
        { "Latin 1", { (const uint8_t *)"\0\0\0\1\344", 5 } },
        { "an overlong form", { (const uint8_t *)"\0\0\0\2\300\200", 6 } },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct decode in = reading(rows[i].bytes);
        char text[SMALL];

        decode_text(&in, text, sizeof(text));
        assert_row(text[0] == '\0' && in.has_failed, rows[i].name);
    }
}

TEST(a_truth_is_zero_or_one)
{
    struct decode in = reading(SLICE("\2"));

    assert_false(decode_bool(&in));
    assert_true(in.has_failed);
    in = reading(SLICE("\2\0\0\0\1a")); /* of a text that is neither there nor not */
    assert_null(decode_text_or_null(&in, SMALL));
    assert_true(in.has_failed);
}

TEST(what_is_left_over_is_wrong)
{
    struct decode in = reading(SLICE("\1\0"));
    struct keystay_error err;

    assert_int_equal(decode_u8(&in), 1);
    assert_int_equal(decode_end(&in, &err), KEYSTAY_E_INTERNAL);
    assert_contains(err.message, "makes no sense");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_more_comes_of_an_input_that_has_failed),
        cmocka_unit_test(an_output_that_overflowed_stays_empty_and_says_so),
        cmocka_unit_test(each_kind_stands_as_it_is_specified),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(caps_are_reached_and_not_passed),
        cmocka_unit_test(lengths_that_lie_are_not_followed),
        cmocka_unit_test(texts_are_utf8_without_a_nul),
        cmocka_unit_test(a_truth_is_zero_or_one),
        cmocka_unit_test(what_is_left_over_is_wrong),
    };

    return RUN_TESTS(tests);
}
