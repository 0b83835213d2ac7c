/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/base64url.h"

struct pair {
    struct slice bytes;
    const char *text;
};

static struct pair pairs[] = {
    /* RFC 4648 §10, without the padding */
    { SLICE(""), "" },
    { SLICE("f"), "Zg" },
    { SLICE("fo"), "Zm8" },
    { SLICE("foo"), "Zm9v" },
    { SLICE("foob"), "Zm9vYg" },
    { SLICE("fooba"), "Zm9vYmE" },
    { SLICE("foobar"), "Zm9vYmFy" },
    /* RFC 7515 appendix C: the alphabet that is fit for URLs */
    { SLICE("\x03\xEC\xFF\xE0\xC1"), "A-z_4ME" },
    { SLICE("\0\0\0"), "AAAA" },
    { SLICE("\xFF\xFF\xFF\xFF"), "_____w" },
};

TEST(a_failure_needs_no_error_structure)
{
    CLEANUP(buf_clear) struct buf out = BUF(64);

    assert_int_equal(base64url_decode(SLICE("!"), &out, NULL), KEYSTAY_E_SERVER_RESPONSE);
    assert_int_equal(base64url_decode(SLICE("!!"), &out, NULL), KEYSTAY_E_SERVER_RESPONSE);
}

TEST(encodes_the_published_values)
{
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        CLEANUP(buf_clear) struct buf out = BUF(64);
        assert_ok(base64url_encode(pairs[i].bytes, &out, NULL));
        assert_buf(&out, pairs[i].text);
    }
}

TEST(decodes_the_published_values)
{
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        CLEANUP(buf_clear) struct buf out = BUF(64);
        assert_ok(base64url_decode(slice_of_str(pairs[i].text), &out, NULL));
        assert_row(slice_equal(buf_slice(&out), pairs[i].bytes), pairs[i].text);
    }
}

TEST(appends_to_what_is_there)
{
    CLEANUP(buf_clear) struct buf out = BUF(64);

    assert_ok(buf_puts(&out, "a.", NULL));
    assert_ok(base64url_encode(SLICE("foo"), &out, NULL));
    assert_ok(buf_putc(&out, '.', NULL));
    assert_ok(base64url_decode(SLICE("Zm9v"), &out, NULL));
    assert_buf(&out, "a.Zm9v.foo");
}

TEST(every_byte_survives_in_every_place)
{
    uint8_t bytes[3 * 256];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i + i / 256);
    }
    for (size_t len = sizeof(bytes) - 3; len <= sizeof(bytes); len++) {
        CLEANUP(buf_clear) struct buf text = BUF(2048);
        CLEANUP(buf_clear) struct buf back = BUF(2048);
        assert_ok(base64url_encode((struct slice){ bytes, len }, &text, NULL));
        assert_int_equal(text.len, (len * 4 + 2) / 3);
        assert_ok(base64url_decode(buf_slice(&text), &back, NULL));
        assert_true(slice_equal(buf_slice(&back), (struct slice){ bytes, len }));
    }
}

/* RFC 4648 §10, and the two characters in which the alphabets differ. */
TEST(encodes_plainly_where_a_format_wants_it)
{
    static const struct pair rows[] = {
        { SLICE(""), "" },
        { SLICE("f"), "Zg==" },
        { SLICE("fo"), "Zm8=" },
        { SLICE("foo"), "Zm9v" },
        { SLICE("foob"), "Zm9vYg==" },
        { SLICE("fooba"), "Zm9vYmE=" },
        { SLICE("foobar"), "Zm9vYmFy" },
        { SLICE("\xFB\xFF"), "+/8=" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf text = BUF(64);

        assert_ok(base64_encode(rows[i].bytes, &text, NULL));
        assert_buf(&text, rows[i].text);
    }
}

TEST(decodes_up_to_the_cap_and_not_beyond)
{
    CLEANUP(buf_clear) struct buf out = BUF(4);

    assert_ok(buf_putc(&out, 'x', NULL));
    assert_int_equal(base64url_decode(SLICE("Zm9vYg"), &out, NULL), KEYSTAY_E_NO_MEMORY);
    assert_buf(&out, "x");
    assert_ok(base64url_decode(SLICE("Zm9v"), &out, NULL));
    assert_buf(&out, "xfoo");
}

TEST(refuses_whatever_has_a_second_spelling)
{
    static const struct pair rows[] = {
        { SLICE("Zg=="), "padding" },
        { SLICE("Zm8="), "one padding" },
        { SLICE("="), "padding alone" },
        { SLICE("Zm9v===="), "four paddings" },
        { SLICE("Z"), "length 1" },
        { SLICE("Zm9vY"), "length 5" },
        { SLICE("Zm9v\n"), "line end" },
        { SLICE("Zm9v\r\n"), "network line end" },
        { SLICE(" Zm9"), "blank before" },
        { SLICE("Zm 9v"), "blank inside" },
        { SLICE("A+z_4ME"), "plus" },
        { SLICE("A-z/4ME"), "slash" },
        { SLICE("Zh"), "stray bit of two characters" },
        { SLICE("Zv"), "four stray bits" },
        { SLICE("Zm9"), "stray bit of three characters" },
        { SLICE("Zm9vZm9"), "stray bit at the end" },
        { SLICE("Zm\0v"), "NUL inside" },
        { SLICE("Zg\0\0"), "NULs at the end" },
        { SLICE("Zm\xC3\xA9"), "UTF-8" },
        { SLICE("Zm9v.Zm9v"), "two parts" },
        { SLICE("\xFF\xFF\xFF\xFF"), "high bytes" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf out = BUF(64);
        struct keystay_error err;

        assert_ok(buf_puts(&out, "kept", NULL));
        assert_row(base64url_decode(rows[i].bytes, &out, &err) == KEYSTAY_E_SERVER_RESPONSE, rows[i].text);
        assert_row(err.status == KEYSTAY_E_SERVER_RESPONSE && err.message[0] != '\0', rows[i].text);
        assert_buf(&out, "kept");
    }
}

/* One character of the alphabet changed into any other byte: 64 are taken, the rest is refused. */
TEST(knows_64_characters)
{
    size_t n_taken = 0;

    for (int c = 0; c < 256; c++) {
        CLEANUP(buf_clear) struct buf out = BUF(64);
        const uint8_t text[4] = { 'A', (uint8_t)c, 'A', 'A' };
        n_taken += base64url_decode((struct slice){ text, 4 }, &out, NULL) == KEYSTAY_OK;
    }
    assert_int_equal(n_taken, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_needs_no_error_structure),
        cmocka_unit_test(encodes_the_published_values),
        cmocka_unit_test(decodes_the_published_values),
        cmocka_unit_test(appends_to_what_is_there),
        cmocka_unit_test(every_byte_survives_in_every_place),
        cmocka_unit_test(encodes_plainly_where_a_format_wants_it),
        cmocka_unit_test(decodes_up_to_the_cap_and_not_beyond),
        cmocka_unit_test(refuses_whatever_has_a_second_spelling),
        cmocka_unit_test(knows_64_characters),
    };

    return RUN_TESTS(tests);
}
