/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_ISOLATED_CODEC_H
#define PKCS11_ISOLATED_CODEC_H

/*
 * How one value stands on the wire between a program and its signer process: numbers big-endian, bytes behind
 * their length, nothing as the compiler lays it out. docs/PROTOCOL.signer is the specification.
 *
 * Both ends read with this one reader. It is strict and it remembers: after the first value that is not there
 * or not as it must be, every other one is 0 or empty, and decode_end says that it went wrong.
 */

#include <stdbool.h>

#include "base/buf.h"

void encode_u8(struct buf *to, uint8_t value);
void encode_u32(struct buf *to, uint32_t value);
void encode_u64(struct buf *to, uint64_t value);
void encode_bytes(struct buf *to, struct slice bytes);
void encode_text(struct buf *to, const char *text);         /* not NULL */
void encode_text_or_null(struct buf *to, const char *text); /* one byte more: whether it is there */

/* What could not be put because the cap was reached or memory is out: the buffer is emptied and this says so.
 */
enum keystay_status encode_end(struct buf *to, struct keystay_error *err);

struct decode {
    struct slice rest;
    bool has_failed;
};

uint8_t decode_u8(struct decode *in);
bool decode_bool(struct decode *in); /* one byte, 0 or 1 */
uint32_t decode_u32(struct decode *in, uint32_t max);
uint64_t decode_u64(struct decode *in);
int64_t decode_i64(struct decode *in);
struct slice decode_bytes(struct decode *in, size_t max); /* borrowed from the input */

/* UTF-8 without a NUL, copied with one behind it; "" after a failure. size is that of text. */
void decode_text(struct decode *in, char *text, size_t size);

/* The same, owned; NULL when it is not there, or after a failure. */
char *decode_text_or_null(struct decode *in, size_t max);

/* KEYSTAY_E_INTERNAL when a value went wrong or something is left over. */
enum keystay_status decode_end(const struct decode *in, struct keystay_error *err);

#endif
