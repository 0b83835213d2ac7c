/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BASE64URL_H
#define BASE_BASE64URL_H

/* base64url without padding (RFC 4648 §5, RFC 7515 §2), and where a format wants it, plain base64. */

#include "base/buf.h"

/* Appends the encoding of bytes. */
enum keystay_status base64url_encode(struct slice bytes, struct buf *to, struct keystay_error *err);

/* Appends the encoding in the other alphabet, padded (RFC 4648 §4). */
enum keystay_status base64_encode(struct slice bytes, struct buf *to, struct keystay_error *err);

/*
 * Appends what text stands for. Strict: only the alphabet, no padding, no white space, no length of 4n+1, and
 * unused trailing bits must be zero, so that each value has one spelling. KEYSTAY_E_SERVER_RESPONSE
 * otherwise, and `to` is as it was.
 */
enum keystay_status base64url_decode(struct slice text, struct buf *to, struct keystay_error *err);

#endif
