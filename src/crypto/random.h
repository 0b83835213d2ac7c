/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_RANDOM_H
#define CRYPTO_RANDOM_H

#include "base/base.h"

enum { RANDOM_UUID_SIZE = 37 };

/* From OpenSSL's generator. */
enum keystay_status random_bytes(uint8_t *ret_bytes, size_t len, struct keystay_error *err);

/* A version 4 UUID in lower case (RFC 9562 §5.4). */
enum keystay_status random_uuid(char ret_text[RANDOM_UUID_SIZE], struct keystay_error *err);

#endif
