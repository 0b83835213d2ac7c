/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/memory.h"

#include <openssl/crypto.h>

#include "base/wipe.h"

static void *crypto_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size == 0 ? NULL : wiping_malloc(size);
}

static void *crypto_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size == 0) {
        wiping_free(memory);
        return NULL;
    }
    return wiping_realloc(memory, size);
}

static void crypto_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    wiping_free(memory);
}

bool crypto_use_wiping_memory(void)
{
    return CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) == 1;
}
