/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_WIRE_H
#define UNIT_WIRE_H

/*
 * For messages: each there and back with every field at its cap; and then as a stranger might send it:
 * shorter by each number of bytes, longer by one, with values out of their ranges.
 */

#include "unit.h"

/* n characters. Owned: free(). */
char *text_of(size_t n, char c);

/* Reads a body and frees what it has read. */
typedef enum keystay_status (*reader)(struct slice body);

/* It is read whole, and in no other length. */
void assert_only_whole(const struct buf *body, reader read, const char *name);

/* KEYSTAY_E_INTERNAL, that is. */
void assert_refused(const struct buf *body, reader read, const char *name);

#endif
