/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

/*
 * A growing buffer with a cap that its owner must name. It wipes itself when it grows and when it is cleared,
 * so it may hold what will become a secret on its way (a form, a response body). What stays for longer
 * belongs in a struct secret.
 */

#include "base/base.h"

struct buf {
    uint8_t *data; /* followed by a NUL that len does not count, once anything was put */
    size_t len;
    size_t capacity;
    size_t max; /* len never exceeds it */
};

/* For an initialiser: struct buf b = BUF(4096). */
#define BUF(max_len) ((struct buf){ .max = (max_len) })

void buf_clear(struct buf *buf);

/* KEYSTAY_E_NO_MEMORY when the cap would be exceeded; the buffer is then as before. */
enum keystay_status buf_put(struct buf *buf, struct slice bytes, struct keystay_error *err);
enum keystay_status buf_puts(struct buf *buf, const char *text, struct keystay_error *err);
enum keystay_status buf_putc(struct buf *buf, char c, struct keystay_error *err);

/* Borrowed until the buffer changes. */
struct slice buf_slice(const struct buf *buf);

/* The same bytes as a C string ("" when nothing was put); the caller knows that there is no NUL inside. */
const char *buf_str(const struct buf *buf);

#endif
