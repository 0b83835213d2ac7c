/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_KDF_H
#define CRYPTO_KDF_H

#include "base/secret.h"

/* One byte of scrypt (RFC 7914; N = 2^15, r = 8, p = 1: a tenth of a second) over a secret: enough to know it
 * again. */
enum keystay_status kdf_scrypt_byte(
    const struct secret *secret, struct slice salt, uint8_t *ret_byte, struct keystay_error *err);

#endif
