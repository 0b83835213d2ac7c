/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_ALG_H
#define CRYPTO_ALG_H

/* The signature algorithms as rows of a table. Adding one is adding a row here and one in
 * pkcs11/cryptoki/mechanism.c. */

#include "base/base.h"
#include "keystay/signer.h"

enum alg_family {
    ALG_RSA_PKCS1, /* RFC 8017 §8.2 */
    ALG_RSA_PSS,   /* RFC 8017 §8.1 */
    ALG_ECDSA,     /* FIPS 186-5 §6 */
};

struct alg {
    enum keystay_alg id;
    enum alg_family family;
    const char *name;     /* RFC 7518 §3.1 */
    const char *digest;   /* OpenSSL's name for it */
    size_t digest_len;    /* bytes; for PSS also the length of the salt */
    unsigned int ec_bits; /* of the one curve that an ECDSA algorithm goes with; 0 for RSA */
};

enum {
    ALG_RSA_BITS_MIN = 2048, /* RFC 7518 §3.3: a key of size 2048 bits or larger MUST be used */
    ALG_DIGEST_MAX = 64,
};

/* NULL for KEYSTAY_ALG_AUTO and for what is not in the table. */
const struct alg *alg_by_id(enum keystay_alg id);
const struct alg *alg_by_name(const char *name);

/* A set of algorithms, as signers tell what they can. */
typedef uint32_t alg_set; /* ALG_BIT of each */
#define ALG_BIT(id) ((alg_set)1 << (id))

#endif
