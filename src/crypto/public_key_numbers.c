/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys from their numbers, for keys that come as JWK (RFC 7518 §6). The numbers are a
 * server's word: what is out of range is refused here, before any signature is checked with it.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "crypto/public_key_impl.h"
#include "crypto/roca.h"

enum {
    EXPONENT_LEN_MAX = 8, /* OpenSSL's own limit for large moduli, OPENSSL_RSA_MAX_PUBEXP_BITS */
    MODULUS_LEN_MAX = PUBLIC_KEY_RSA_BITS_MAX / 8,
};

static void bn_freep(BIGNUM **number)
{
    BN_free(*number);
}

static void builder_freep(OSSL_PARAM_BLD **builder)
{
    OSSL_PARAM_BLD_free(*builder);
}

static void params_freep(OSSL_PARAM **params)
{
    OSSL_PARAM_free(*params);
}

static void pkey_context_freep(EVP_PKEY_CTX **context)
{
    EVP_PKEY_CTX_free(*context);
}

void public_key_freep(struct public_key **key)
{
    if (*key != NULL) {
        public_key_clear(*key);
        free(*key);
    }
    *key = NULL;
}

/* OpenSSL checks that a point is on its curve. */
static enum keystay_status make(
    const char *type, OSSL_PARAM_BLD *builder, struct public_key **ret_key, struct keystay_error *err)
{
    CLEANUP(params_freep) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    CLEANUP(pkey_context_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    CLEANUP(public_key_freep) struct public_key *key = calloc(1, sizeof(*key));
    EVP_PKEY *pkey = NULL;

    if (params == NULL || context == NULL || key == NULL) {
        return err_no_memory(err);
    }
    if (EVP_PKEY_fromdata_init(context) <= 0 ||
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0) {
        ERR_clear_error();
        return err_set(err, KEYSTAY_E_CERTIFICATE, "the numbers are no %s public key", type);
    }
    TRY(public_key_init(key, pkey, err));
    *ret_key = take_ptr(&key);
    return KEYSTAY_OK;
}

static enum keystay_status check_rsa(const BIGNUM *modulus, const BIGNUM *exponent, struct keystay_error *err)
{
    if (BN_num_bits(modulus) < ALG_RSA_BITS_MIN || BN_num_bits(modulus) > PUBLIC_KEY_RSA_BITS_MAX) {
        return err_set(
            err, KEYSTAY_E_KEY_REFUSED, "the RSA modulus has %d bits, not %d to %d", BN_num_bits(modulus),
            ALG_RSA_BITS_MIN, PUBLIC_KEY_RSA_BITS_MAX);
    }
    if (!BN_is_odd(modulus)) {
        return err_set(err, KEYSTAY_E_KEY_REFUSED, "the RSA modulus is even");
    }
    /* With the exponent 1 every message is its own signature. */
    if (!BN_is_odd(exponent) || BN_is_one(exponent)) {
        return err_set(err, KEYSTAY_E_KEY_REFUSED, "the RSA exponent is not an odd number above 1");
    }
    if (roca_is_weak(modulus)) {
        return err_set(
            err, KEYSTAY_E_KEY_REFUSED,
            "the RSA modulus was made by a chip whose keys can be broken (ROCA, CVE-2017-15361)");
    }
    return KEYSTAY_OK;
}

enum keystay_status public_key_new_rsa(
    struct slice modulus, struct slice exponent, struct public_key **ret_key, struct keystay_error *err)
{
    if (modulus.len == 0 || modulus.len > MODULUS_LEN_MAX || exponent.len == 0 ||
        exponent.len > EXPONENT_LEN_MAX) {
        return err_set(
            err, KEYSTAY_E_KEY_REFUSED, "the RSA modulus has %zu bytes and the exponent %zu", modulus.len,
            exponent.len);
    }
    CLEANUP(bn_freep) BIGNUM *n = BN_bin2bn(modulus.data, (int)modulus.len, NULL);
    CLEANUP(bn_freep) BIGNUM *e = BN_bin2bn(exponent.data, (int)exponent.len, NULL);
    CLEANUP(builder_freep) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (n == NULL || e == NULL || builder == NULL ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) != 1) {
        return err_no_memory(err);
    }
    TRY(check_rsa(n, e, err));
    return make("RSA", builder, ret_key, err);
}

enum keystay_status public_key_new_ec(
    unsigned int bits, struct slice x, struct slice y, struct public_key **ret_key, struct keystay_error *err)
{
    uint8_t point[PUBLIC_KEY_POINT_MAX] = { 0x04 }; /* SEC 1 §2.3.3: uncompressed */
    const size_t half = bits / 8;

    if ((bits != 256 && bits != 384) || x.len != half || y.len != half) {
        return err_set(
            err, KEYSTAY_E_KEY_REFUSED, "the point of %u bits has coordinates of %zu and %zu bytes", bits,
            x.len, y.len);
    }
    memcpy(point + 1, x.data, half);
    memcpy(point + 1 + half, y.data, half);
    CLEANUP(builder_freep) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder == NULL ||
        OSSL_PARAM_BLD_push_utf8_string(
            builder, OSSL_PKEY_PARAM_GROUP_NAME, bits == 256 ? "P-256" : "P-384", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * half) != 1) {
        return err_no_memory(err);
    }
    return make("EC", builder, ret_key, err);
}

bool public_key_is_weak(const struct public_key *key)
{
    return key->modulus != NULL && roca_is_weak(key->modulus);
}
