/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/str.h"

TEST(compares_and_finds_prefixes)
{
    assert_true(str_equal("a", "a"));
    assert_false(str_equal("a", "A"));
    assert_true(str_has_prefix("file:x", "file:"));
    assert_true(str_has_prefix("x", ""));
    assert_false(str_has_prefix("fil", "file:"));
    assert_false(str_has_prefix("", "f"));
}

TEST(folds_the_case_of_ascii_letters_only)
{
    assert_true(str_iequal("bEaReR", "Bearer"));
    assert_true(str_iequal("", ""));
    assert_false(str_iequal("Bearer", "Bearer "));
    assert_false(str_iequal("Beare", "Bearer"));
    assert_false(str_iequal("@", "`")); /* 0x40 and 0x60: the bit alone is no letter */
    assert_false(str_iequal("[", "{"));
    assert_false(str_iequal("\xC3\xA9", "\xC3\x89"));
    assert_false(str_iequal("\xE2\x84\xAA", "k")); /* KELVIN SIGN */
}

TEST(knows_utf8)
{
    static const struct {
        struct slice text;
        bool is_good;
        const char *what;
    } rows[] = {
        { SLICE(""), true, "nothing" },
        { SLICE("a\0b\x7F"), true, "ASCII" },
        { SLICE("\xC2\x80\xDF\xBF"), true, "two bytes" },
        { SLICE("\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"), true, "three bytes" },
        { SLICE("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"), true, "four bytes" },
        { SLICE("\x80"), false, "continuation alone" },
        { SLICE("\xBF"), false, "last continuation alone" },
        { SLICE("\xC3"), false, "cut after one of two" },
        { SLICE("a\xE2\x82"), false, "cut after two of three" },
        { SLICE("\xF0\x9F\x98"), false, "cut after three of four" },
        { SLICE("\xC3("), false, "no continuation" },
        { SLICE("\xE2\x82("), false, "no second continuation" },
        { SLICE("\xC0\x80"), false, "overlong NUL" },
        { SLICE("\xC1\xBF"), false, "overlong of two" },
        { SLICE("\xE0\x9F\xBF"), false, "overlong of three" },
        { SLICE("\xF0\x8F\xBF\xBF"), false, "overlong of four" },
        { SLICE("\xED\xA0\x80"), false, "first surrogate" },
        { SLICE("\xED\xBF\xBF"), false, "last surrogate" },
        { SLICE("\xF4\x90\x80\x80"), false, "above U+10FFFF" },
        { SLICE("\xF8\x88\x80\x80\x80"), false, "five bytes" },
        { SLICE("\xFE"), false, "0xFE" },
        { SLICE("\xFF"), false, "0xFF" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(str_is_utf8(rows[i].text) == rows[i].is_good, rows[i].what);
    }
}

TEST(visible_ascii_has_no_blanks)
{
    assert_true(str_is_visible_ascii(SLICE("!~aZ09-._")));
    assert_true(str_is_visible_ascii(SLICE("")));
    for (int c = 0; c < 256; c++) {
        const uint8_t byte = (uint8_t)c;
        assert_int_equal(str_is_visible_ascii((struct slice){ &byte, 1 }), c > 0x20 && c < 0x7F);
    }
    assert_false(str_is_visible_ascii(SLICE("a\r\nX: y")));
}

TEST(knows_a_guid)
{
    static const struct {
        const char *text;
        bool is_good;
    } rows[] = {
        { "11111111-2222-3333-4444-555555555555", true },
        { "abcdefAB-CDEF-0123-4567-89abcdefABCD", true },
        { "", false },
        { "11111111-2222-3333-4444-55555555555", false },
        { "11111111-2222-3333-4444-5555555555555", false },
        { "111111112222-3333-4444-5555555555555-", false },
        { "g1111111-2222-3333-4444-555555555555", false },
        { "{1111111-2222-3333-4444-55555555555}", false },
        { "11111111-2222-3333-4444-55555555555 ", false },
        { "11111111_2222_3333_4444_555555555555", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(str_is_guid(rows[i].text) == rows[i].is_good, rows[i].text);
    }
}

TEST(reads_numbers_strictly)
{
    static const struct {
        const char *text;
        uint64_t minimum, maximum;
        bool is_good;
        uint64_t value;
    } rows[] = {
        { "0", 0, 10, true, 0 },
        { "10", 0, 10, true, 10 },
        { "60", 60, 60, true, 60 },
        { "18446744073709551615", 0, UINT64_MAX, true, UINT64_MAX },
        { "11", 0, 10, false, 0 },
        { "59", 60, 61, false, 0 },
        { "18446744073709551616", 0, UINT64_MAX, false, 0 },
        { "184467440737095516150", 0, UINT64_MAX, false, 0 },
        { "99999999999999999999999999999999", 0, UINT64_MAX, false, 0 },
        { "", 0, 10, false, 0 },
        { "00", 0, 10, false, 0 },
        { "07", 0, 10, false, 0 },
        { "+1", 0, 10, false, 0 },
        { "-1", 0, UINT64_MAX, false, 0 },
        { " 1", 0, 10, false, 0 },
        { "1 ", 0, 10, false, 0 },
        { "1\n", 0, 10, false, 0 },
        { "0x1", 0, 10, false, 0 },
        { "1e1", 0, 10, false, 0 },
        { "1.0", 0, 10, false, 0 },
        { "1,0", 0, 100, false, 0 },
        { ":", 0, 100, false, 0 },
        { "/", 0, 100, false, 0 },
        { "\xD9\xA1", 0, 100, false, 0 }, /* ARABIC-INDIC DIGIT ONE */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t value = 77;
        struct keystay_error err;
        enum keystay_status status =
            str_parse_u64(rows[i].text, rows[i].minimum, rows[i].maximum, &value, &err);
        assert_row(status == (rows[i].is_good ? KEYSTAY_OK : KEYSTAY_E_CONFIG), rows[i].text);
        assert_row(value == (rows[i].is_good ? rows[i].value : 77), rows[i].text);
    }
}

TEST(quotes_short_text_whole_and_cuts_long_text)
{
    char text[8];

    str_quote_foreign(SLICE(""), text, sizeof(text));
    assert_string_equal(text, "");
    str_quote_foreign(SLICE("1234567"), text, sizeof(text));
    assert_string_equal(text, "1234567");
    str_quote_foreign(SLICE("12345678"), text, sizeof(text));
    assert_string_equal(text, "1234...");
    str_quote_foreign(SLICE("12345"), text, 4);
    assert_string_equal(text, "...");
}

TEST(quoting_makes_one_tame_line)
{
    char text[64];

    str_quote_foreign(SLICE("a\r\nb\0c\x1B[0m\xFF\xC2\x85"), text, sizeof(text));
    assert_string_equal(text, "a  b?c?[0m??");
    assert_tame(text);
}

/* Whichever byte of a character the cut falls on. */
TEST(a_cut_quotation_stays_utf8)
{
    char text[16];

    for (size_t size = 4; size <= sizeof(text); size++) {
        str_quote_foreign(
            SLICE("\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80"), text, size);
        assert_true(strlen(text) < size);
        assert_tame(text);
    }
}

TEST(tidies_what_steers_a_terminal)
{
    static const struct {
        const char *from;
        const char *to;
    } rows[] = {
        { "plain\nlines \xC3\xA9 \xF0\x9F\x98\x80", "plain\nlines \xC3\xA9 \xF0\x9F\x98\x80" },
        { "\x01\x07\x08\x0B\x0C\r\t\x1B\x7F", "?????????" },
        { "\xC2\x80\xC2\x9B\xC2\x9F\xC2\xA0", "???\xC2\xA0" },
        { "\xE2\x80\xAA\xE2\x80\xAE", "??" },          /* bidirectional embedding, override */
        { "\xE2\x81\xA6\xE2\x81\xA9", "??" },          /* isolates */
        { "\xE2\x80\x8E\xE2\x80\x8F\xD8\x9C", "???" }, /* marks */
        { "\xE2\x80\xA8\xE2\x80\xA9", "??" },          /* line and paragraph separator */
        { "a\xC3", "a?" },
        { "\xC3(", "?(" },
        { "\xED\xA0\x80", "???" },
        { "\xFF\xFE", "??" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[64];
        assert_true(strlen(rows[i].from) < sizeof(text));
        memcpy(text, rows[i].from, strlen(rows[i].from) + 1);
        str_tidy(text);
        assert_string_equal(text, rows[i].to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_and_finds_prefixes),
        cmocka_unit_test(folds_the_case_of_ascii_letters_only),
        cmocka_unit_test(knows_utf8),
        cmocka_unit_test(visible_ascii_has_no_blanks),
        cmocka_unit_test(knows_a_guid),
        cmocka_unit_test(reads_numbers_strictly),
        cmocka_unit_test(quotes_short_text_whole_and_cuts_long_text),
        cmocka_unit_test(quoting_makes_one_tame_line),
        cmocka_unit_test(a_cut_quotation_stays_utf8),
        cmocka_unit_test(tidies_what_steers_a_terminal),
    };

    return RUN_TESTS(tests);
}
