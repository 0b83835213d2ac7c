/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>

#include "crypto/roca.h"
#include "rsa.h"

static void bn_freep(BIGNUM **number)
{
    BN_free(*number);
}

static BIGNUM *weak(void)
{
    BIGNUM *number = NULL;

    assert_int_equal(BN_hex2bn(&number, rsa_roca_modulus), strlen(rsa_roca_modulus));
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

TEST(a_key_is_known_by_its_modulus)
{
    CLEANUP(pkey_freep) EVP_PKEY *weak_key = rsa_public_key_of_modulus(rsa_roca_modulus);
    CLEANUP(pkey_freep) EVP_PKEY *ec_key = EVP_EC_gen("P-256");
    const struct cert_spec specs[] = { { .key = weak_key }, { .key = ec_key }, { 0 } };

    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&specs[i]);
        assert_int_equal(public_key_is_weak(certificate_public_key(certificate)), i == 0);
    }
}

TEST(no_key_is_made_of_such_numbers)
{
    CLEANUP(bn_freep) BIGNUM *modulus = weak();
    uint8_t bytes[257];
    struct public_key *key = NULL;
    struct keystay_error err;

    assert_int_equal(BN_bn2bin(modulus, bytes), sizeof(bytes));
    assert_int_equal(
        public_key_new_rsa((struct slice){ bytes, sizeof(bytes) }, SLICE("\x01\x00\x01"), &key, &err),
        KEYSTAY_E_KEY_REFUSED);
    assert_contains(err.message, "ROCA");
    assert_null(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_mark),
        cmocka_unit_test(an_ordinary_modulus_does_not_bear_it),
        cmocka_unit_test(a_neighbour_does_not_bear_it),
        cmocka_unit_test(a_key_is_known_by_its_modulus),
        cmocka_unit_test(no_key_is_made_of_such_numbers),
        cmocka_unit_test(a_product_of_small_primes_is_no_power),
    };

    return RUN_TESTS(tests);
}
