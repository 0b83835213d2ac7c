/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wipe.h"

#include <stdlib.h>
#include <string.h>

#ifdef __APPLE__
#include <malloc/malloc.h>
#define usable_size malloc_size
#else
#include <malloc.h>
#define usable_size malloc_usable_size
#endif

void wipe(void *memory, size_t len)
{
    if (len == 0) {
        return;
    }
#ifdef __APPLE__
    (void)memset_s(memory, len, 0, len);
#else
    explicit_bzero(memory, len);
#endif
}

void *wiping_malloc(size_t size)
{
    return malloc(size == 0 ? 1 : size);
}

void *wiping_realloc(void *memory, size_t size)
{
    size_t old_size = memory == NULL ? 0 : usable_size(memory);

    if (memory != NULL && size <= old_size && size > 0) {
        wipe((char *)memory + size, old_size - size);
        return memory;
    }
    void *grown = wiping_malloc(size);
    if (grown == NULL) {
        return NULL;
    }
    if (memory != NULL) {
        memcpy(grown, memory, old_size < size ? old_size : size);
        wiping_free(memory);
    }
    return grown;
}

void *wiping_calloc(size_t count, size_t size)
{
    return calloc(count, size);
}

char *wiping_strdup(const char *text)
{
    return strdup(text);
}

void wiping_free(void *memory)
{
    if (memory != NULL) {
        wipe(memory, usable_size(memory));
        free(memory);
    }
}
