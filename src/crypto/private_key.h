/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_PRIVATE_KEY_H
#define CRYPTO_PRIVATE_KEY_H

/*
 * A private key that has been outside and is on its way into a token. Nothing is signed with it here. It lies
 * in OpenSSL's memory, which wipes it, and its numbers leave that only in a struct secret.
 */

#include "base/secret.h"
#include "crypto/public_key.h"

struct private_key;

/* What a token is told; of EC only PRIVATE_KEY_D. */
enum private_key_number {
    PRIVATE_KEY_D,
    PRIVATE_KEY_P,
    PRIVATE_KEY_Q,
    PRIVATE_KEY_DP,
    PRIVATE_KEY_DQ,
    PRIVATE_KEY_QI,
    PRIVATE_KEY_NUMBER_N,
};

/* Its other half: RSA of 2048, 3072 or 4096 bits, or EC on P-256 or P-384. Borrowed. */
const struct public_key *private_key_public(const struct private_key *key);

/* Big-endian; of RSA without leading zeros, of EC as wide as the curve. */
enum keystay_status private_key_number(
    const struct private_key *key, enum private_key_number which, struct secret *ret_number,
    struct keystay_error *err);

void private_key_freep(struct private_key **key);

#endif
