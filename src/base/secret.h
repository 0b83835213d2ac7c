/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

/*
 * A PIN, a client assertion or an access token. Its memory is its own pages: kept out of swap where the
 * system lets us (mlock; a refusal, RLIMIT_MEMLOCK, is not an error), out of core files, and wiped when it is
 * cleared. A few wiped pages are kept for the next secret.
 */

#include <stdbool.h>

#include "base/base.h"

struct secret {
    char *data; /* len bytes and a NUL; NULL when empty */
    size_t len;
    size_t mapped_len;
    bool is_locked; /* false: the system refused mlock */
};

void secret_clear(struct secret *secret);

/* Room for len bytes, zeroed, for the caller to fill. Clears what was there. */
enum keystay_status secret_alloc(struct secret *secret, size_t len, struct keystay_error *err);

/* A copy of bytes. Clears what was there. */
enum keystay_status secret_set(struct secret *secret, struct slice bytes, struct keystay_error *err);

/* Shortens it, wiping the tail. len must not exceed the present length. */
void secret_truncate(struct secret *secret, size_t len);

struct slice secret_slice(const struct secret *secret);

/* Moves: from is empty afterwards, what to held is cleared. */
void secret_move(struct secret *to, struct secret *from);

#endif
