/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_DIGEST_H
#define CRYPTO_DIGEST_H

#include <stdbool.h>

#include "base/base.h"

/* The digest of bytes; name is OpenSSL's ("SHA256"), len what the caller has room for and expects exactly. */
enum keystay_status digest_of(
    const char *name, struct slice bytes, uint8_t *ret_digest, size_t len, struct keystay_error *err);

/* In a time that says nothing of how much of them is equal. */
bool digest_equal(const uint8_t *a, const uint8_t *b, size_t len);

#endif
