/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_PRIVATE_KEY_IMPL_H
#define CRYPTO_PRIVATE_KEY_IMPL_H

/* For key_file.c, which reads them. */

#include <openssl/evp.h>

#include "crypto/private_key.h"

/*
 * Takes pkey, even on failure. KEYSTAY_E_KEY_REFUSED for another type or size, for a key that is known to be
 * weak, and for numbers that do not belong together.
 */
enum keystay_status private_key_new(EVP_PKEY *pkey, struct private_key **ret_key, struct keystay_error *err);

#endif
