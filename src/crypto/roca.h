/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_ROCA_H
#define CRYPTO_ROCA_H

#include <openssl/bn.h>
#include <stdbool.h>

/*
 * Whether an RSA modulus of 2048 bits or more bears the mark of the key generator of CVE-2017-15361 ("ROCA"),
 * which smartcards, security keys and TPMs were sold with: its keys of 2048 bits can be factored. A good
 * modulus is taken for one of these about once in 2^167.
 */
bool roca_is_weak(const BIGNUM *modulus);

#endif
