/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "crypto/certificate.h"
#include "rsa.h"

struct fixture {
    EVP_PKEY *key;
    struct certificate *certificate;
    const struct public_key *public_key; /* borrowed from certificate */
};

static int set_up(void **state)
{
    static const struct cert_spec plain = { 0 };
    static struct fixture fixture;

    fixture.key = rsa_rfc7515_key();
    fixture.certificate = cert_new(&plain);
    fixture.public_key = certificate_public_key(fixture.certificate);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    EVP_PKEY_free(fixture->key);
    certificate_free(fixture->certificate);
    return 0;
}

static enum keystay_status verify(
    const struct fixture *fixture, enum keystay_alg alg, struct slice input, const struct buf *signature)
{
    return public_key_verify(fixture->public_key, alg_by_id(alg), input, buf_slice(signature), NULL);
}

TEST(another_kind_of_key_verifies_nothing)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    const struct cert_spec spec = { .key = key };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&spec);
    struct keystay_error err;

    assert_int_equal(
        public_key_verify(
            certificate_public_key(certificate), alg_by_id(KEYSTAY_ALG_RS256), SLICE("x"), SLICE("y"), &err),
        KEYSTAY_E_ALGORITHM);
    assert_contains(err.message, "RS256 does not go with the certificate's EC key of 256 bits");
}

TEST(verifies_what_the_key_signed)
{
    const struct fixture *fixture = *state;
    CLEANUP(buf_clear) struct buf rs256 = BUF(512);
    CLEANUP(buf_clear) struct buf ps256 = BUF(512);

    rsa_sign(fixture->key, &rsa_rs256, SLICE("input"), &rs256);
    rsa_sign(fixture->key, &rsa_ps256, SLICE("input"), &ps256);
    assert_ok(verify(fixture, KEYSTAY_ALG_RS256, SLICE("input"), &rs256));
    assert_ok(verify(fixture, KEYSTAY_ALG_PS256, SLICE("input"), &ps256));
}

/* RFC 8017 allows much that RFC 7518 does not: each row is a good signature of the wrong kind. */
TEST(a_good_signature_of_the_wrong_kind_is_refused)
{
    static const struct {
        struct rsa_padding how;
        enum keystay_alg alg;
        const char *what;
    } rows[] = {
        { { RSA_PKCS1_PSS_PADDING, "SHA256", 32 }, KEYSTAY_ALG_RS256, "PSS for PKCS1" },
        { { RSA_PKCS1_PADDING, "SHA256", 0 }, KEYSTAY_ALG_PS256, "PKCS1 for PSS" },
        { { RSA_PKCS1_PSS_PADDING, "SHA256", 0 }, KEYSTAY_ALG_PS256, "no salt" },
        { { RSA_PKCS1_PSS_PADDING, "SHA256", 20 }, KEYSTAY_ALG_PS256, "20 bytes of salt" },
        { { RSA_PKCS1_PSS_PADDING, "SHA256", 31 }, KEYSTAY_ALG_PS256, "31 bytes of salt" },
        { { RSA_PKCS1_PSS_PADDING, "SHA256", 33 }, KEYSTAY_ALG_PS256, "33 bytes of salt" },
        { { RSA_PKCS1_PSS_PADDING, "SHA256", 222 }, KEYSTAY_ALG_PS256, "all the salt that fits" },
        { { RSA_PKCS1_PSS_PADDING, "SHA1", 20 }, KEYSTAY_ALG_PS256, "PSS with SHA-1" },
        { { RSA_PKCS1_PSS_PADDING, "SHA512", 32 }, KEYSTAY_ALG_PS256, "PSS with SHA-512" },
        { { RSA_PKCS1_PADDING, "SHA1", 0 }, KEYSTAY_ALG_RS256, "PKCS1 with SHA-1" },
        { { RSA_PKCS1_PADDING, "SHA384", 0 }, KEYSTAY_ALG_RS256, "PKCS1 with SHA-384" },
        { { RSA_PKCS1_PADDING, "SHA512", 0 }, KEYSTAY_ALG_RS256, "PKCS1 with SHA-512" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf signature = BUF(512);
        const struct fixture *fixture = *state;

        rsa_sign(fixture->key, &rows[i].how, SLICE("input"), &signature);
        assert_row(
            verify(fixture, rows[i].alg, SLICE("input"), &signature) == KEYSTAY_E_KEY_MISMATCH, rows[i].what);
    }
}

TEST(another_input_or_key_is_refused)
{
    const struct fixture *fixture = *state;
    CLEANUP(buf_clear) struct buf signature = BUF(512);
    CLEANUP(pkey_freep) EVP_PKEY *stranger = rsa_public_key_of_bits(2048);
    const struct cert_spec spec = { .key = stranger };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&spec);
    struct keystay_error err;

    rsa_sign(fixture->key, &rsa_rs256, SLICE("input"), &signature);
    assert_int_equal(verify(fixture, KEYSTAY_ALG_RS256, SLICE("inpuT"), &signature), KEYSTAY_E_KEY_MISMATCH);
    assert_int_equal(verify(fixture, KEYSTAY_ALG_RS256, SLICE(""), &signature), KEYSTAY_E_KEY_MISMATCH);
    assert_int_equal(
        public_key_verify(
            certificate_public_key(certificate), alg_by_id(KEYSTAY_ALG_RS256), SLICE("input"),
            buf_slice(&signature), &err),
        KEYSTAY_E_KEY_MISMATCH);
    assert_contains(err.message, "does not verify");
}

TEST(a_signature_of_another_length_is_refused)
{
    const struct fixture *fixture = *state;
    CLEANUP(buf_clear) struct buf signature = BUF(512);

    assert_int_equal(verify(fixture, KEYSTAY_ALG_RS256, SLICE("input"), &signature), KEYSTAY_E_KEY_MISMATCH);
    rsa_sign(fixture->key, &rsa_rs256, SLICE("input"), &signature);
    assert_ok(buf_putc(&signature, '\0', NULL));
    assert_int_equal(verify(fixture, KEYSTAY_ALG_RS256, SLICE("input"), &signature), KEYSTAY_E_KEY_MISMATCH);
    for (; signature.len > 200; signature.len -= signature.len > 254 ? 1 : 13) {
        enum keystay_status wanted = signature.len == 256 ? KEYSTAY_OK : KEYSTAY_E_KEY_MISMATCH;
        assert_int_equal(verify(fixture, KEYSTAY_ALG_RS256, SLICE("input"), &signature), wanted);
    }
}

TEST(each_flipped_byte_is_noticed)
{
    const struct fixture *fixture = *state;
    CLEANUP(buf_clear) struct buf signature = BUF(512);

    rsa_sign(fixture->key, &rsa_ps256, SLICE("input"), &signature);
    for (size_t i = 0; i < signature.len; i += 5) {
        signature.data[i] ^= 0x10;
        assert_int_equal(
            verify(fixture, KEYSTAY_ALG_PS256, SLICE("input"), &signature), KEYSTAY_E_KEY_MISMATCH);
        signature.data[i] ^= 0x10;
    }
    assert_ok(verify(fixture, KEYSTAY_ALG_PS256, SLICE("input"), &signature));
}

/* As CKA_MODULUS has it: some modules put a zero byte first. */
TEST(knows_its_own_modulus)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = rsa_public_key_of_bits(2048);
    const struct cert_spec spec = { .key = key };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&spec);
    const struct public_key *public_key = certificate_public_key(certificate);
    uint8_t modulus[1 + 256 + 1] = { 0 };

    modulus[1] = 0x80;
    modulus[256] = 0x01;
    assert_true(public_key_has_modulus(public_key, (struct slice){ modulus + 1, 256 }));
    assert_true(public_key_has_modulus(public_key, (struct slice){ modulus, 257 }));
    assert_false(public_key_has_modulus(public_key, (struct slice){ modulus + 1, 255 }));
    assert_false(public_key_has_modulus(public_key, (struct slice){ modulus + 1, 257 }));
    assert_false(public_key_has_modulus(public_key, (struct slice){ modulus + 1, 0 }));
    assert_false(public_key_has_modulus(public_key, (struct slice){ NULL, 0 }));
    modulus[256] = 0x03;
    assert_false(public_key_has_modulus(public_key, (struct slice){ modulus + 1, 256 }));
}

TEST(a_monstrous_modulus_is_refused_unread)
{
    const struct fixture *fixture = *state;
    const uint8_t byte = 1;

    assert_false(public_key_has_modulus(fixture->public_key, (struct slice){ &byte, SIZE_MAX }));
    assert_false(public_key_has_modulus(fixture->public_key, (struct slice){ &byte, (size_t)1 << 32 }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_kind_of_key_verifies_nothing),
        cmocka_unit_test(verifies_what_the_key_signed),
        cmocka_unit_test(a_good_signature_of_the_wrong_kind_is_refused),
        cmocka_unit_test(another_input_or_key_is_refused),
        cmocka_unit_test(a_signature_of_another_length_is_refused),
        cmocka_unit_test(each_flipped_byte_is_noticed),
        cmocka_unit_test(knows_its_own_modulus),
        cmocka_unit_test(a_monstrous_modulus_is_refused_unread),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
