/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_WIPE_H
#define BASE_WIPE_H

#include <stddef.h>

/* Overwrites memory with zeros in a way that no optimiser removes. */
void wipe(void *memory, size_t len);

/*
 * malloc, realloc, free, calloc and strdup that wipe what they give back. The programs hand them to OpenSSL
 * and libcurl, which copy PIN, assertion and access token on their way; the library leaves its caller's
 * allocators alone.
 */
void *wiping_malloc(size_t size);
void *wiping_realloc(void *memory, size_t size);
void *wiping_calloc(size_t count, size_t size);
char *wiping_strdup(const char *text);
void wiping_free(void *memory);

#endif
