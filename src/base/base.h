/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

/*
 * The words that every file of keystay uses: clean-up by attribute, the one macro that may return, and a
 * borrowed view of bytes.
 */

#include <stddef.h>
#include <stdint.h>

#include "keystay/error.h"

/* Runs fn(&variable) when the variable leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Forwards an error unchanged. The only macro here that hides control flow. */
#define TRY(expression)                                 \
    do {                                                \
        enum keystay_status try_status_ = (expression); \
        if (try_status_ != KEYSTAY_OK) {                \
            return try_status_;                         \
        }                                               \
    } while (0)

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* A borrowed run of bytes: valid as long as what it was taken from. data may be NULL only when len is 0. */
struct slice {
    const uint8_t *data;
    size_t len;
};

struct slice slice_of_str(const char *text);
int slice_equal(struct slice a, struct slice b);

/* Moves a pointer out of a variable that has a clean-up attribute: the variable is NULL afterwards. */
#define take_ptr(address)                           \
    __extension__({                                 \
        __typeof__(*(address)) taken_ = *(address); \
        *(address) = NULL;                          \
        taken_;                                     \
    })

/* For interfaces of others that lack a const and do not write. */
void *drop_const(const void *pointer);

/* For CLEANUP on plain malloc'ed memory that holds no secret. */
void freep(void *pointer_to_pointer);

#endif
