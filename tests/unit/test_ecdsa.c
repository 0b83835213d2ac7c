/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "crypto/ecdsa.h"

enum { HALF = 32 };

/* r = 1, s = 2, as DER has them: short, without leading zeros. */
static const struct slice small = SLICE("\x30\x06\x02\x01\x01\x02\x01\x02");

/* Both numbers 32 bytes long; the first has its top bit set, so DER puts a zero before it. */
#define FF8 "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
#define ONES8 "\x11\x11\x11\x11\x11\x11\x11\x11"
static const struct slice full =
    SLICE("\x30\x45\x02\x21\x00" FF8 FF8 FF8 FF8 "\x02\x20" ONES8 ONES8 ONES8 ONES8);

static enum keystay_status convert(enum keystay_alg alg, struct slice der, struct buf *ret_signature)
{
    struct keystay_error err = { 0 };
    enum keystay_status status = ecdsa_to_jose(alg_by_id(alg), der, ret_signature, &err);

    assert_int_equal(err.status, status);
    return status;
}

TEST(short_numbers_are_filled_up_from_the_left)
{
    CLEANUP(buf_clear) struct buf signature = BUF(2 * HALF);
    uint8_t expected[2 * HALF] = { [HALF - 1] = 1, [2 * HALF - 1] = 2 };

    assert_ok(convert(KEYSTAY_ALG_ES256, small, &signature));
    assert_int_equal(signature.len, sizeof(expected));
    assert_memory_equal(signature.data, expected, sizeof(expected));
}

TEST(long_numbers_lose_their_sign_byte)
{
    CLEANUP(buf_clear) struct buf signature = BUF(2 * HALF);

    assert_ok(convert(KEYSTAY_ALG_ES256, full, &signature));
    assert_slice(buf_slice(&signature), FF8 FF8 FF8 FF8 ONES8 ONES8 ONES8 ONES8);
}

TEST(each_curve_has_its_width)
{
    CLEANUP(buf_clear) struct buf signature = BUF(96);

    assert_ok(convert(KEYSTAY_ALG_ES384, full, &signature));
    assert_int_equal(signature.len, 96);
    assert_int_equal(signature.data[15], 0);
    assert_int_equal(signature.data[16], 0xFF);
}

TEST(a_buffer_that_is_too_small_is_left_as_it_was)
{
    CLEANUP(buf_clear) struct buf signature = BUF(2 * HALF - 1);

    assert_int_equal(convert(KEYSTAY_ALG_ES256, small, &signature), KEYSTAY_E_NO_MEMORY);
    assert_int_equal(signature.len, 0);
}

static const struct {
    const char *name;
    struct slice der;
} refused[] = {
    { "nothing", { NULL, 0 } },
    { "a sequence alone", SLICE("\x30\x00") },
    { "one number", SLICE("\x30\x03\x02\x01\x01") },
    { "three numbers", SLICE("\x30\x09\x02\x01\x01\x02\x01\x02\x02\x01\x03") },
    { "cut off", SLICE("\x30\x06\x02\x01\x01\x02\x01") },
    { "a byte more", SLICE("\x30\x06\x02\x01\x01\x02\x01\x02\x00") },
    { "a length in the long form", SLICE("\x30\x81\x06\x02\x01\x01\x02\x01\x02") },
    { "no length (BER)", SLICE("\x30\x80\x02\x01\x01\x02\x01\x02\x00\x00") },
    { "a number with a zero too many", SLICE("\x30\x07\x02\x02\x00\x01\x02\x01\x02") },
    { "r is zero", SLICE("\x30\x06\x02\x01\x00\x02\x01\x02") },
    { "s is zero", SLICE("\x30\x06\x02\x01\x01\x02\x01\x00") },
    { "r is negative", SLICE("\x30\x06\x02\x01\xFF\x02\x01\x02") },
    { "s is negative", SLICE("\x30\x06\x02\x01\x01\x02\x01\x80") },
    { "r is a bit too long", SLICE("\x30\x26\x02\x21\x01" FF8 FF8 FF8 FF8 "\x02\x01\x02") },
    { "no number", SLICE("\x30\x06\x04\x01\x01\x02\x01\x02") },
    { "bare numbers", SLICE(FF8 FF8 FF8 FF8 ONES8 ONES8 ONES8 ONES8) },
};

TEST(what_is_not_the_one_form_is_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        CLEANUP(buf_clear) struct buf signature = BUF(2 * HALF);

        assert_row(
            convert(KEYSTAY_ALG_ES256, refused[i].der, &signature) == KEYSTAY_E_MODULE, refused[i].name);
        assert_row(signature.len == 0, refused[i].name);
    }
}

TEST(and_back_again)
{
    static const struct slice ders[] = { SLICE("\x30\x06\x02\x01\x01\x02\x01\x02"),
                                         SLICE("\x30\x07\x02\x02\x00\x80\x02\x01\x02") };

    for (size_t i = 0; i < ARRAY_LEN(ders); i++) {
        CLEANUP(buf_clear) struct buf signature = BUF(2 * HALF);
        CLEANUP(buf_clear) struct buf der = BUF(256);

        assert_ok(convert(KEYSTAY_ALG_ES256, ders[i], &signature));
        assert_ok(ecdsa_to_der(alg_by_id(KEYSTAY_ALG_ES256), buf_slice(&signature), &der, NULL));
        assert_true(slice_equal(buf_slice(&der), ders[i]));
        signature.len--;
        assert_int_equal(
            ecdsa_to_der(alg_by_id(KEYSTAY_ALG_ES256), buf_slice(&signature), &der, NULL),
            KEYSTAY_E_KEY_MISMATCH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_numbers_are_filled_up_from_the_left),
        cmocka_unit_test(long_numbers_lose_their_sign_byte),
        cmocka_unit_test(each_curve_has_its_width),
        cmocka_unit_test(a_buffer_that_is_too_small_is_left_as_it_was),
        cmocka_unit_test(what_is_not_the_one_form_is_refused),
        cmocka_unit_test(and_back_again),
    };

    return RUN_TESTS(tests);
}
