/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_PADDING_H
#define CRYPTO_PADDING_H

/*
 * What stands between a digest and the RSA operation (RFC 8017 §9), for tokens that leave it to their caller:
 * some want the DigestInfo, some only do raw RSA.
 */

#include "base/buf.h"
#include "crypto/alg.h"

/* Appends the DigestInfo of a digest made with alg (RFC 8017 §9.2, step 2). */
enum keystay_status padding_digest_info(
    const struct alg *alg, struct slice digest, struct buf *to, struct keystay_error *err);

/*
 * Appends the whole encoded message, as long as the modulus: EMSA-PKCS1-v1_5 or EMSA-PSS by alg's family, the
 * salt from OpenSSL's generator. modulus_bits is at least ALG_RSA_BITS_MIN.
 */
enum keystay_status padding_encode(
    const struct alg *alg, struct slice digest, unsigned int modulus_bits, struct buf *to,
    struct keystay_error *err);

#endif
