/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judge is OpenSSL. A public key with the exponent 1 makes the raw operation the identity, so that an
 * encoded message is its own signature and a modulus of any length can be tried without a private key.
 */
#include "unit.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "crypto/digest.h"
#include "crypto/padding.h"
#include "rsa.h"

enum { MODULUS_LEN_MAX = 2048 };

static const enum keystay_alg rsa_algs[] = {
    KEYSTAY_ALG_RS256, KEYSTAY_ALG_RS384, KEYSTAY_ALG_RS512,
    KEYSTAY_ALG_PS256, KEYSTAY_ALG_PS384, KEYSTAY_ALG_PS512,
};

struct sample {
    const struct alg *alg;
    uint8_t bytes[ALG_DIGEST_MAX];
    struct slice digest;
};

static void sample_init(struct sample *sample, enum keystay_alg id)
{
    sample->alg = alg_by_id(id);
    assert_ok(
        digest_of(sample->alg->digest, SLICE("head.claims"), sample->bytes, sample->alg->digest_len, NULL));
    sample->digest = (struct slice){ sample->bytes, sample->alg->digest_len };
}

/* The smallest odd modulus of so many bits: nothing that is too large for it is below. */
static EVP_PKEY *identity_key(unsigned int bits)
{
    BIGNUM *n = BN_new();
    BIGNUM *e = BN_new();
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;

    assert_int_equal(BN_set_bit(n, (int)bits - 1), 1);
    assert_int_equal(BN_set_bit(n, 0), 1);
    assert_int_equal(BN_one(e), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e), 1);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
    assert_int_equal(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(context);
    BN_free(n);
    BN_free(e);
    return key;
}

static bool is_good(EVP_PKEY *key, const struct sample *sample, const struct buf *encoded)
{
    bool is_pss = sample->alg->family == ALG_RSA_PSS;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);

    assert_int_equal(EVP_PKEY_verify_init(context), 1);
    assert_int_equal(
        EVP_PKEY_CTX_set_rsa_padding(context, is_pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_signature_md(context, EVP_get_digestbyname(sample->alg->digest)), 1);
    if (is_pss) { /* RFC 7518 §3.5: the salt is as long as the digest */
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, (int)sample->alg->digest_len), 1);
    }
    int result =
        EVP_PKEY_verify(context, encoded->data, encoded->len, sample->digest.data, sample->digest.len);
    EVP_PKEY_CTX_free(context);
    return result == 1;
}

TEST(a_modulus_out_of_range_is_refused)
{
    static const unsigned int sizes[] = { 0, 1, 512, 1024, 2047, 16385, 32768 };

    for (size_t i = 0; i < ARRAY_LEN(sizes) * ARRAY_LEN(rsa_algs); i++) {
        CLEANUP(buf_clear) struct buf encoded = BUF(8192);
        struct sample sample;
        struct keystay_error err;

        sample_init(&sample, rsa_algs[i % ARRAY_LEN(rsa_algs)]);
        assert_int_equal(
            padding_encode(sample.alg, sample.digest, sizes[i / ARRAY_LEN(rsa_algs)], &encoded, &err),
            KEYSTAY_E_INTERNAL);
        assert_int_equal(encoded.len, 0);
    }
}

TEST(a_digest_of_another_length_is_refused)
{
    CLEANUP(buf_clear) struct buf encoded = BUF(MODULUS_LEN_MAX);
    struct sample sample;

    for (size_t i = 0; i < ARRAY_LEN(rsa_algs); i++) {
        sample_init(&sample, rsa_algs[i]);
        for (size_t len = 0; len <= ALG_DIGEST_MAX; len++) {
            if (len != sample.alg->digest_len) {
                const struct slice digest = { sample.bytes, len };
                assert_int_equal(
                    padding_encode(sample.alg, digest, 2048, &encoded, NULL), KEYSTAY_E_INTERNAL);
            }
        }
    }
    assert_int_equal(encoded.len, 0);
}

TEST(a_full_buffer_is_refused)
{
    struct sample sample;

    for (size_t i = 0; i < ARRAY_LEN(rsa_algs); i++) {
        CLEANUP(buf_clear) struct buf encoded = BUF(255);
        sample_init(&sample, rsa_algs[i]);
        assert_int_equal(
            padding_encode(sample.alg, sample.digest, 2048, &encoded, NULL), KEYSTAY_E_NO_MEMORY);
    }
}

/* RFC 8017 §9.2 note 1. */
TEST(a_digest_info_is_these_bytes)
{
    static const struct {
        enum keystay_alg alg;
        struct slice prefix;
    } rows[] = {
        { KEYSTAY_ALG_RS256,
          SLICE("\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20") },
        { KEYSTAY_ALG_RS384,
          SLICE("\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30") },
        { KEYSTAY_ALG_RS512,
          SLICE("\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40") },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf info = BUF(128);
        CLEANUP(buf_clear) struct buf wanted = BUF(128);
        struct sample sample;

        sample_init(&sample, rows[i].alg);
        assert_ok(buf_put(&wanted, rows[i].prefix, NULL));
        assert_ok(buf_put(&wanted, sample.digest, NULL));
        assert_ok(padding_digest_info(sample.alg, sample.digest, &info, NULL));
        assert_true(slice_equal(buf_slice(&info), buf_slice(&wanted)));
    }
}

/* EMSA-PKCS1-v1_5 has one result only: raw RSA over it must give what OpenSSL gives. */
TEST(a_raw_operation_makes_a_real_signature)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = rsa_rfc7515_key();
    CLEANUP(buf_clear) struct buf encoded = BUF(256);
    CLEANUP(buf_clear) struct buf wanted = BUF(512);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    struct sample sample;
    uint8_t signature[256];
    size_t len = sizeof(signature);

    sample_init(&sample, KEYSTAY_ALG_RS256);
    assert_ok(padding_encode(sample.alg, sample.digest, 2048, &encoded, NULL));
    assert_int_equal(EVP_PKEY_sign_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING), 1);
    assert_int_equal(EVP_PKEY_sign(context, signature, &len, encoded.data, encoded.len), 1);
    EVP_PKEY_CTX_free(context);
    rsa_sign(key, &rsa_rs256, SLICE("head.claims"), &wanted);
    assert_true(slice_equal((struct slice){ signature, len }, buf_slice(&wanted)));
}

/* A modulus of 8n+1 bits makes the PSS message a byte shorter than the modulus. */
TEST(openssl_takes_every_length)
{
    static const unsigned int sizes[] = { 2048, 2049, 2050, 2052, 2055, 2056, 2057,
                                          3072, 3073, 4095, 4096, 4097, 16384 };

    for (size_t i = 0; i < ARRAY_LEN(sizes) * ARRAY_LEN(rsa_algs); i++) {
        const unsigned int bits = sizes[i / ARRAY_LEN(rsa_algs)];
        CLEANUP(pkey_freep) EVP_PKEY *key = identity_key(bits);
        CLEANUP(buf_clear) struct buf encoded = BUF(MODULUS_LEN_MAX);
        struct sample sample;

        sample_init(&sample, rsa_algs[i % ARRAY_LEN(rsa_algs)]);
        assert_ok(padding_encode(sample.alg, sample.digest, bits, &encoded, NULL));
        assert_int_equal(encoded.len, (bits + 7) / 8);
        if (!is_good(key, &sample, &encoded)) {
            fail_msg("%s with %u bits", sample.alg->name, bits);
        }
        encoded.data[encoded.len / 2] ^= 1; /* the judge can say no */
        assert_false(is_good(key, &sample, &encoded));
    }
}

TEST(appends)
{
    CLEANUP(buf_clear) struct buf encoded = BUF(4 + 256);
    struct sample sample;

    sample_init(&sample, KEYSTAY_ALG_RS256);
    assert_ok(buf_puts(&encoded, "kept", NULL));
    assert_ok(padding_encode(sample.alg, sample.digest, 2048, &encoded, NULL));
    assert_int_equal(encoded.len, 4 + 256);
    assert_memory_equal(encoded.data, "kept\x00\x01\xFF\xFF", 8);
}

TEST(each_pss_message_has_a_salt_of_its_own)
{
    CLEANUP(buf_clear) struct buf first = BUF(256);
    CLEANUP(buf_clear) struct buf second = BUF(256);
    struct sample sample;

    sample_init(&sample, KEYSTAY_ALG_PS256);
    assert_ok(padding_encode(sample.alg, sample.digest, 2048, &first, NULL));
    assert_ok(padding_encode(sample.alg, sample.digest, 2048, &second, NULL));
    assert_false(slice_equal(buf_slice(&first), buf_slice(&second)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_modulus_out_of_range_is_refused),
        cmocka_unit_test(a_digest_of_another_length_is_refused),
        cmocka_unit_test(a_full_buffer_is_refused),
        cmocka_unit_test(a_digest_info_is_these_bytes),
        cmocka_unit_test(a_raw_operation_makes_a_real_signature),
        cmocka_unit_test(openssl_takes_every_length),
        cmocka_unit_test(appends),
        cmocka_unit_test(each_pss_message_has_a_salt_of_its_own),
    };

    return RUN_TESTS(tests);
}
