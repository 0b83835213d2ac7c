/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "crypto/digest.h"

TEST(room_of_another_size_is_an_error)
{
    uint8_t digest[64] = { 0 };
    struct keystay_error err;

    assert_int_equal(digest_of("SHA256", SLICE("abc"), digest, 20, &err), KEYSTAY_E_INTERNAL);
    assert_int_equal(digest_of("SHA1", SLICE("abc"), digest, 32, &err), KEYSTAY_E_INTERNAL);
    assert_int_equal(digest[0], 0);
}

TEST(an_unknown_digest_is_an_error)
{
    uint8_t digest[64] = { 0 };
    struct keystay_error err;

    assert_int_equal(digest_of("SHA257", SLICE("abc"), digest, 32, &err), KEYSTAY_E_INTERNAL);
    assert_contains(err.message, "SHA257");
}

TEST(gives_the_published_values)
{
    uint8_t digest[32];

    /* FIPS 180-2 appendices A.1 and B.1 */
    assert_ok(digest_of("SHA1", SLICE("abc"), digest, 20, NULL));
    assert_memory_equal(
        digest, "\xA9\x99\x3E\x36\x47\x06\x81\x6A\xBA\x3E\x25\x71\x78\x50\xC2\x6C\x9C\xD0\xD8\x9D", 20);
    assert_ok(digest_of("SHA256", SLICE("abc"), digest, 32, NULL));
    assert_memory_equal(
        digest,
        "\xBA\x78\x16\xBF\x8F\x01\xCF\xEA\x41\x41\x40\xDE\x5D\xAE\x22\x23"
        "\xB0\x03\x61\xA3\x96\x17\x7A\x9C\xB4\x10\xFF\x61\xF2\x00\x15\xAD",
        32);
}

TEST(nothing_has_a_digest_too)
{
    uint8_t digest[32];

    assert_ok(digest_of("SHA256", (struct slice){ NULL, 0 }, digest, 32, NULL));
    assert_memory_equal(digest, "\xE3\xB0\xC4\x42\x98\xFC\x1C\x14", 8);
}

TEST(equal_is_every_byte)
{
    uint8_t a[32] = { 0 };
    uint8_t b[32] = { 0 };

    for (size_t i = 0; i < sizeof(a); i++) {
        assert_true(digest_equal(a, b, sizeof(a)));
        a[i] = 0x80;
        assert_false(digest_equal(a, b, sizeof(a)));
        assert_true(digest_equal(a, b, i));
        b[i] = 0x80;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_of_another_size_is_an_error),
        cmocka_unit_test(an_unknown_digest_is_an_error),
        cmocka_unit_test(gives_the_published_values),
        cmocka_unit_test(nothing_has_a_digest_too),
        cmocka_unit_test(equal_is_every_byte),
    };

    return RUN_TESTS(tests);
}
