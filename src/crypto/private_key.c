/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/private_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "base/error.h"
#include "crypto/private_key_impl.h"
#include "crypto/public_key_impl.h"

enum { NUMBER_MAX = 512 + 1, PUBLIC_NUMBER_MAX = 4096, GROUP_NAME_SIZE = 64 };

struct private_key {
    struct public_key whole; /* both halves */
    struct public_key *public_key;
};

static const char wanted[] =
    "keystay takes RSA of 2048, 3072 and 4096 bits, P-256 and P-384: make a new key, with "
    "keystay key generate";

static void bn_clear_freep(BIGNUM **number)
{
    BN_clear_free(*number);
}

static void pkey_context_freep(EVP_PKEY_CTX **context)
{
    EVP_PKEY_CTX_free(*context);
}

void private_key_freep(struct private_key **key)
{
    if (*key != NULL) {
        public_key_clear(&(*key)->whole);
        public_key_freep(&(*key)->public_key);
        free(*key);
    }
    *key = NULL;
}

const struct public_key *private_key_public(const struct private_key *key)
{
    return key->public_key;
}

/* EVP_PKEY_get_bn_param has a buffer of its own on the stack, which it may leave as it is. */
static BIGNUM *read_number(const struct private_key *key, const char *name)
{
    CLEANUP(secret_clear) struct secret native = { 0 };
    BIGNUM *number = NULL;

    if (secret_alloc(&native, NUMBER_MAX, NULL) != KEYSTAY_OK) {
        return NULL;
    }
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_BN(name, (unsigned char *)native.data, native.len),
        OSSL_PARAM_construct_end(),
    };
    bool is_there = EVP_PKEY_get_params(key->whole.pkey, params) == 1 && OSSL_PARAM_modified(&params[0]) &&
                    OSSL_PARAM_get_BN(&params[0], &number) == 1;
    ERR_clear_error();
    return is_there ? number : NULL;
}

enum keystay_status private_key_number(
    const struct private_key *key, enum private_key_number which, struct secret *ret_number,
    struct keystay_error *err)
{
    static const char *const names[PRIVATE_KEY_NUMBER_N] = {
        OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,   OSSL_PKEY_PARAM_RSA_FACTOR2,
        OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
    };
    bool is_ec = public_key_type(&key->whole) == PUBLIC_KEY_EC;
    CLEANUP(bn_clear_freep)
    BIGNUM *number = read_number(key, is_ec ? OSSL_PKEY_PARAM_PRIV_KEY : names[which]);

    if (number == NULL || BN_is_zero(number) || (is_ec && which != PRIVATE_KEY_D)) {
        return err_set(err, KEYSTAY_E_KEY_REFUSED, "a number of the private key is missing");
    }
    int len = is_ec ? (int)(public_key_bits(&key->whole) / 8) : BN_num_bytes(number);
    TRY(secret_alloc(ret_number, (size_t)len, err));
    return BN_bn2binpad(number, (unsigned char *)ret_number->data, len) == len
               ? KEYSTAY_OK
               : err_set(err, KEYSTAY_E_KEY_REFUSED, "a number of the private key is out of its range");
}

static enum keystay_status check_kind(const struct public_key *key, struct keystay_error *err)
{
    enum public_key_type type = public_key_type(key);
    unsigned int bits = public_key_bits(key);
    char group[GROUP_NAME_SIZE] = "";
    size_t len = 0;

    if (type == PUBLIC_KEY_EC || (type == PUBLIC_KEY_RSA && (bits == 2048 || bits == 3072 || bits == 4096))) {
        return KEYSTAY_OK;
    }
    if (type == PUBLIC_KEY_OTHER) {
        (void)EVP_PKEY_get_group_name(key->pkey, group, sizeof(group), &len);
        ERR_clear_error();
    }
    return err_set_hint(
        err, KEYSTAY_E_KEY_REFUSED, wanted, "the key is of type %s%s%s, with %u bits",
        public_key_type_name(key), group[0] == '\0' ? "" : " on ", group, bits);
}

/* The same rules as for a public key that comes from elsewhere: an exponent of 1, a generator that is broken.
 */
static enum keystay_status make_public(struct private_key *key, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf first = BUF(PUBLIC_NUMBER_MAX);
    CLEANUP(buf_clear) struct buf second = BUF(PUBLIC_NUMBER_MAX);

    TRY(public_key_numbers(&key->whole, &first, &second, err));
    if (public_key_type(&key->whole) == PUBLIC_KEY_EC) {
        return public_key_new_ec(
            public_key_bits(&key->whole), buf_slice(&first), buf_slice(&second), &key->public_key, err);
    }
    return public_key_new_rsa(buf_slice(&first), buf_slice(&second), &key->public_key, err);
}

/* PKCS #11 has two primes and what goes with them, or nothing. */
static enum keystay_status check_parts(const struct private_key *key, struct keystay_error *err)
{
    bool is_rsa = public_key_type(&key->whole) == PUBLIC_KEY_RSA;

    for (int which = 0; which < (is_rsa ? PRIVATE_KEY_NUMBER_N : 1); which++) {
        CLEANUP(secret_clear) struct secret number = { 0 };
        TRY(private_key_number(key, (enum private_key_number)which, &number, err));
    }
    CLEANUP(bn_clear_freep)
    BIGNUM *third = is_rsa ? read_number(key, OSSL_PKEY_PARAM_RSA_FACTOR3) : NULL;
    return third == NULL
               ? KEYSTAY_OK
               : err_set_hint(err, KEYSTAY_E_KEY_REFUSED, wanted, "the RSA key is of more than two primes");
}

static enum keystay_status check_halves(const struct private_key *key, struct keystay_error *err)
{
    CLEANUP(pkey_context_freep)
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->whole.pkey, NULL);

    if (context == NULL) {
        return err_no_memory(err);
    }
    bool is_good = EVP_PKEY_pairwise_check(context) == 1;
    ERR_clear_error();
    return is_good ? KEYSTAY_OK
                   : err_set_hint(
                         err, KEYSTAY_E_KEY_REFUSED, "take another copy of the file: this one is damaged",
                         "the numbers of the private key do not belong together");
}

enum keystay_status private_key_new(EVP_PKEY *pkey, struct private_key **ret_key, struct keystay_error *err)
{
    CLEANUP(private_key_freep) struct private_key *key = calloc(1, sizeof(*key));

    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return err_no_memory(err);
    }
    TRY(public_key_init(&key->whole, pkey, err));
    TRY(check_kind(&key->whole, err));
    TRY(make_public(key, err));
    TRY(check_parts(key, err));
    TRY(check_halves(key, err));
    *ret_key = take_ptr(&key);
    return KEYSTAY_OK;
}
