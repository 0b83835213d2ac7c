/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_MEMORY_H
#define CRYPTO_MEMORY_H

/*
 * Has OpenSSL wipe every block that it frees. For programs only, and before anything else touches OpenSSL:
 * false when that is no longer possible.
 */
#include <stdbool.h>

bool crypto_use_wiping_memory(void);

#endif
