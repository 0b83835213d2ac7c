/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/public_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/error.h"
#include "crypto/public_key_impl.h"

static void md_ctx_freep(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
}

static void bn_freep(BIGNUM **number)
{
    BN_free(*number);
}

enum keystay_status public_key_init(struct public_key *key, EVP_PKEY *pkey, struct keystay_error *err)
{
    *key = (struct public_key){ .pkey = pkey };
    if (pkey == NULL) {
        return err_set(err, KEYSTAY_E_CERTIFICATE, "the certificate's public key cannot be read");
    }
    if (public_key_type(key) == PUBLIC_KEY_RSA &&
        !EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &key->modulus)) {
        return err_set(err, KEYSTAY_E_CERTIFICATE, "the certificate's RSA modulus cannot be read");
    }
    return KEYSTAY_OK;
}

void public_key_clear(struct public_key *key)
{
    EVP_PKEY_free(key->pkey);
    BN_free(key->modulus);
    *key = (struct public_key){ 0 };
}

enum public_key_type public_key_type(const struct public_key *key)
{
    return EVP_PKEY_is_a(key->pkey, "RSA") ? PUBLIC_KEY_RSA : PUBLIC_KEY_OTHER;
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

bool public_key_has_modulus(const struct public_key *key, struct slice modulus)
{
    CLEANUP(bn_freep) BIGNUM *number = NULL;

    if (key->modulus == NULL || modulus.len == 0 || modulus.len > OPENSSL_RSA_MAX_MODULUS_BITS / 8 + 1) {
        return false;
    }
    number = BN_bin2bn(modulus.data, (int)modulus.len, NULL);
    return number != NULL && BN_cmp(number, key->modulus) == 0;
}

static int set_padding(EVP_PKEY_CTX *context, const struct alg *alg)
{
    if (alg->family == ALG_RSA_PKCS1) {
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING);
    }
    /* RFC 7518 §3.5: the size of the salt value is the same size as the hash function output. */
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) > 0;
}

enum keystay_status public_key_verify(
    const struct public_key *key, const struct alg *alg, struct slice input, struct slice signature,
    struct keystay_error *err)
{
    CLEANUP(md_ctx_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context = NULL; /* belongs to context */

    if (context == NULL) {
        return err_no_memory(err);
    }
    if (public_key_type(key) != PUBLIC_KEY_RSA) {
        return err_set(
            err, KEYSTAY_E_ALGORITHM, "%s needs an RSA key, the certificate's is %s", alg->name,
            public_key_type_name(key));
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
