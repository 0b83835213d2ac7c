/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "crypto/kdf.h"

static uint8_t byte_of(struct slice text, struct slice salt)
{
    CLEANUP(secret_clear) struct secret secret = { 0 };
    uint8_t byte = 0;

    assert_ok(secret_set(&secret, text, NULL));
    assert_ok(kdf_scrypt_byte(&secret, salt, &byte, NULL));
    return byte;
}

TEST(an_empty_secret_has_a_byte_too)
{
    const struct secret nothing = { 0 };
    uint8_t byte = 0;

    assert_ok(kdf_scrypt_byte(&nothing, (struct slice){ NULL, 0 }, &byte, NULL));
    assert_int_equal(byte, 0x2C);
}

/* From Python: hashlib.scrypt(secret, salt=salt, n=2**15, r=8, p=1, maxmem=2**26, dklen=32)[0]. */
TEST(is_the_first_byte_of_scrypt)
{
    assert_int_equal(byte_of(SLICE("1234"), SLICE("salt")), 0x6D);
    assert_int_equal(byte_of(SLICE("1235"), SLICE("salt")), 0x56);
    assert_int_equal(byte_of(SLICE("1234"), SLICE("salu")), 0xB3);
}

TEST(a_nul_is_a_byte_like_any_other)
{
    assert_int_equal(byte_of(SLICE("12\00034"), SLICE("s\0lt")), 0x96);
    assert_int_equal(byte_of(SLICE("12"), SLICE("s")), 0x86); /* what stands before it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_secret_has_a_byte_too),
        cmocka_unit_test(is_the_first_byte_of_scrypt),
        cmocka_unit_test(a_nul_is_a_byte_like_any_other),
    };

    return RUN_TESTS(tests);
}
