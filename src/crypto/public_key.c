/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/public_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "crypto/ecdsa.h"
#include "crypto/public_key_impl.h"

enum { ECDSA_DER_MAX = 256, CURVE_NAME_SIZE = 32, PUBLIC_KEY_NUMBER_MAX = 2048 };

static void md_ctx_freep(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
}

static void bn_freep(BIGNUM **number)
{
    BN_free(*number);
}

/* 0x04, x, y: from the coordinates, because a certificate may hold its point compressed. */
static bool read_point(struct public_key *key)
{
    CLEANUP(bn_freep) BIGNUM *x = NULL;
    CLEANUP(bn_freep) BIGNUM *y = NULL;
    int half = (int)(public_key_bits(key) / 8);

    if (EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) != 1 ||
        EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) != 1) {
        return false;
    }
    key->point[0] = 0x04; /* SEC 1 §2.3.3: uncompressed */
    key->point_len = 1 + 2 * (size_t)half;
    return BN_bn2binpad(x, key->point + 1, half) == half &&
           BN_bn2binpad(y, key->point + 1 + half, half) == half;
}

static enum keystay_status read_numbers(struct public_key *key, struct keystay_error *err)
{
    bool ok = true;

    if (public_key_type(key) == PUBLIC_KEY_RSA) {
        ok = EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_N, &key->modulus) == 1;
    } else if (public_key_type(key) == PUBLIC_KEY_EC) {
        ok = read_point(key);
    }
    ERR_clear_error();
    return ok ? KEYSTAY_OK
              : err_set(
                    err, KEYSTAY_E_CERTIFICATE, "the numbers of the certificate's public key cannot be read");
}

enum keystay_status public_key_init(struct public_key *key, EVP_PKEY *pkey, struct keystay_error *err)
{
    *key = (struct public_key){ .pkey = pkey };
    if (pkey == NULL) {
        return err_set(err, KEYSTAY_E_CERTIFICATE, "the certificate's public key cannot be read");
    }
    return read_numbers(key, err);
}

void public_key_clear(struct public_key *key)
{
    EVP_PKEY_free(key->pkey);
    BN_free(key->modulus);
    *key = (struct public_key){ 0 };
}

static bool is_known_curve(EVP_PKEY *pkey)
{
    char name[CURVE_NAME_SIZE];
    size_t len = 0;

    return EVP_PKEY_get_group_name(pkey, name, sizeof(name), &len) == 1 &&
           (str_equal(name, "prime256v1") || str_equal(name, "secp384r1"));
}

enum public_key_type public_key_type(const struct public_key *key)
{
    if (EVP_PKEY_is_a(key->pkey, "RSA")) {
        return PUBLIC_KEY_RSA;
    }
    return EVP_PKEY_is_a(key->pkey, "EC") && is_known_curve(key->pkey) ? PUBLIC_KEY_EC : PUBLIC_KEY_OTHER;
}

const char *public_key_type_name(const struct public_key *key)
{
    const char *name = EVP_PKEY_get0_type_name(key->pkey);

    return name == NULL ? "unknown" : name;
}

unsigned int public_key_bits(const struct public_key *key)
{
    int bits = EVP_PKEY_get_bits(key->pkey);

    return bits < 0 ? 0 : (unsigned int)bits;
}

static bool fits(const struct public_key *key, const struct alg *alg)
{
    enum public_key_type type = public_key_type(key);

    if (alg->family == ALG_ECDSA) {
        return type == PUBLIC_KEY_EC && public_key_bits(key) == alg->ec_bits;
    }
    return type == PUBLIC_KEY_RSA && public_key_bits(key) >= ALG_RSA_BITS_MIN;
}

alg_set public_key_algs(const struct public_key *key)
{
    alg_set algs = 0;

    for (enum keystay_alg id = KEYSTAY_ALG_RS256; alg_by_id(id) != NULL; id++) {
        algs |= fits(key, alg_by_id(id)) ? ALG_BIT(id) : 0;
    }
    return algs;
}

bool public_key_equal(const struct public_key *a, const struct public_key *b)
{
    return EVP_PKEY_eq(a->pkey, b->pkey) == 1;
}

bool public_key_has_modulus(const struct public_key *key, struct slice modulus)
{
    CLEANUP(bn_freep) BIGNUM *number = NULL;

    if (key->modulus == NULL || modulus.len == 0 || modulus.len > OPENSSL_RSA_MAX_MODULUS_BITS / 8 + 1) {
        return false;
    }
    number = BN_bin2bn(modulus.data, (int)modulus.len, NULL);
    return number != NULL && BN_cmp(number, key->modulus) == 0;
}

bool public_key_has_point(const struct public_key *key, struct slice point)
{
    const struct slice own = { key->point, key->point_len };

    if (own.len == 0) {
        return false;
    }
    /* PKCS #11 v3.0 §2.3.3: DER of an OCTET STRING; some modules leave the wrapping out. */
    if (point.len == own.len + 2 && point.data[0] == 0x04 && point.data[1] == own.len) {
        point = (struct slice){ point.data + 2, own.len };
    }
    return slice_equal(own, point);
}

static int set_padding(EVP_PKEY_CTX *context, const struct alg *alg)
{
    switch (alg->family) {
    case ALG_RSA_PKCS1:
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING);
    case ALG_RSA_PSS:
        /* RFC 7518 §3.5: the size of the salt value is the same size as the hash function output. */
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) > 0;
    case ALG_ECDSA:
        return 1;
    }
    return 0;
}

static enum keystay_status verify(
    const struct public_key *key, const struct alg *alg, struct slice input, struct slice signature,
    struct keystay_error *err)
{
    CLEANUP(md_ctx_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context = NULL; /* belongs to context */

    if (context == NULL) {
        return err_no_memory(err);
    }
    if (EVP_DigestVerifyInit_ex(context, &key_context, alg->digest, NULL, NULL, key->pkey, NULL) <= 0 ||
        set_padding(key_context, alg) <= 0) {
        ERR_clear_error();
        return err_set(err, KEYSTAY_E_INTERNAL, "OpenSSL cannot verify %s", alg->name);
    }
    if (EVP_DigestVerify(context, signature.data, signature.len, input.data, input.len) != 1) {
        ERR_clear_error();
        return err_set(
            err, KEYSTAY_E_KEY_MISMATCH, "the signature does not verify with the certificate's public key");
    }
    return KEYSTAY_OK;
}

enum keystay_status public_key_verify(
    const struct public_key *key, const struct alg *alg, struct slice input, struct slice signature,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf der = BUF(ECDSA_DER_MAX);

    if (!fits(key, alg)) {
        return err_set(
            err, KEYSTAY_E_ALGORITHM, "%s does not go with the certificate's %s key of %u bits", alg->name,
            public_key_type_name(key), public_key_bits(key));
    }
    if (alg->family != ALG_ECDSA) {
        return verify(key, alg, input, signature, err);
    }
    TRY(ecdsa_to_der(alg, signature, &der, err));
    return verify(key, alg, input, buf_slice(&der), err);
}

static enum keystay_status put_big_number(const BIGNUM *number, struct buf *to, struct keystay_error *err)
{
    uint8_t bytes[PUBLIC_KEY_NUMBER_MAX];
    int len = number == NULL ? 0 : BN_num_bytes(number);

    if (len == 0 || len > PUBLIC_KEY_NUMBER_MAX) {
        return err_set(err, KEYSTAY_E_ALGORITHM, "the public key has a number that is too large");
    }
    return buf_put(to, (struct slice){ bytes, (size_t)BN_bn2bin(number, bytes) }, err);
}

static enum keystay_status put_rsa_numbers(
    const struct public_key *key, struct buf *ret_modulus, struct buf *ret_exponent,
    struct keystay_error *err)
{
    CLEANUP(bn_freep) BIGNUM *exponent = NULL;

    (void)EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_E, &exponent);
    ERR_clear_error();
    TRY(put_big_number(key->modulus, ret_modulus, err));
    return put_big_number(exponent, ret_exponent, err);
}

enum keystay_status public_key_numbers(
    const struct public_key *key, struct buf *ret_first, struct buf *ret_second, struct keystay_error *err)
{
    size_t half = (key->point_len - (key->point_len > 0)) / 2;

    switch (public_key_type(key)) {
    case PUBLIC_KEY_RSA:
        return put_rsa_numbers(key, ret_first, ret_second, err);
    case PUBLIC_KEY_EC:
        TRY(buf_put(ret_first, (struct slice){ key->point + 1, half }, err));
        return buf_put(ret_second, (struct slice){ key->point + 1 + half, half }, err);
    case PUBLIC_KEY_OTHER:
        break;
    }
    return err_set(err, KEYSTAY_E_ALGORITHM, "a key of type %s has no place here", public_key_type_name(key));
}
