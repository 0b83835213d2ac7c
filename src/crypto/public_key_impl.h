/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_PUBLIC_KEY_IMPL_H
#define CRYPTO_PUBLIC_KEY_IMPL_H

/* For certificate.c, which makes public keys. */

#include <openssl/evp.h>

#include "crypto/public_key.h"

enum { PUBLIC_KEY_POINT_MAX = 1 + 2 * 48 };

struct public_key {
    EVP_PKEY *pkey;                      /* owned */
    BIGNUM *modulus;                     /* owned; NULL unless RSA */
    uint8_t point[PUBLIC_KEY_POINT_MAX]; /* uncompressed */
    size_t point_len;                    /* 0 unless EC */
};

/* Takes pkey, even on failure. */
enum keystay_status public_key_init(struct public_key *key, EVP_PKEY *pkey, struct keystay_error *err);
void public_key_clear(struct public_key *key);

#endif
