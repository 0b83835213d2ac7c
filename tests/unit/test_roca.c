/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>

#include "crypto/roca.h"
#include "rsa.h"

/* A modulus that an affected chip made, from the test data of Project Wycheproof (json_web_key_test.json). */
static const char weak_modulus[] =
    "01A9C5A687DB8FB2A30F82DFF8DDA154C291EF27B04B25E185B8AB20C4C6A5F604859FE59EDE54A0AF7C0E7288800AD7"
    "193BB731A5BF1E1170D7A1C66930D41EA3EB21DEDF7B8AF5D42A91C34F72045B96EFD57CB182301DDCC26967E5508E9A"
    "B889986D57E837DFE70F99FC37C498F43C17C3B9B064CF704443D7A033E03A821697AABF30FB29EE7D33B3767965A890"
    "58E3B39754BD3A1C007D28A23B0CFA79F9D711AC6E4C4B4F77B0634B1ECD68591AF03C7D53B62A5F2D91163D4EF4F8F2"
    "6831AE461ED85EC5F788C5123FFC12C87420FDCFEA1D1B4A52C3521824FB3998348739B62A986D8E76B2289BC2EB8BC0"
    "6D138147851B83A07183D210559F906321";

static void bn_freep(BIGNUM **number)
{
    BN_free(*number);
}

static BIGNUM *weak(void)
{
    BIGNUM *number = NULL;

    assert_int_equal(BN_hex2bn(&number, weak_modulus), sizeof(weak_modulus) - 1);
    return number;
}

TEST(knows_the_mark)
{
    CLEANUP(bn_freep) BIGNUM *modulus = weak();

    assert_true(roca_is_weak(modulus));
}

TEST(an_ordinary_modulus_does_not_bear_it)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = rsa_rfc7515_key();
    CLEANUP(bn_freep) BIGNUM *modulus = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus), 1);
    assert_false(roca_is_weak(modulus));
}

TEST(a_neighbour_does_not_bear_it)
{
    CLEANUP(bn_freep) BIGNUM *modulus = weak();

    for (int i = 0; i < 50; i++) {
        assert_int_equal(BN_add_word(modulus, 2), 1);
        assert_false(roca_is_weak(modulus));
    }
}

TEST(a_product_of_small_primes_is_no_power)
{
    CLEANUP(bn_freep) BIGNUM *modulus = BN_new();

    assert_int_equal(BN_set_word(modulus, 3), 1);
    assert_false(roca_is_weak(modulus));
    BN_zero(modulus);
    assert_false(roca_is_weak(modulus));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_mark),
        cmocka_unit_test(an_ordinary_modulus_does_not_bear_it),
        cmocka_unit_test(a_neighbour_does_not_bear_it),
        cmocka_unit_test(a_product_of_small_primes_is_no_power),
    };

    return RUN_TESTS(tests);
}
