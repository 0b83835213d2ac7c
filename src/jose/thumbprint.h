/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOSE_THUMBPRINT_H
#define JOSE_THUMBPRINT_H

#include "base/buf.h"
#include "crypto/certificate.h"

/* Which digests of the certificate stand in a JOSE header. Bits, so that both is SHA256 | SHA1. */
enum thumbprint {
    THUMBPRINT_SHA256 = 1, /* x5t#S256, RFC 7515 §4.1.8 */
    THUMBPRINT_SHA1 = 2,   /* x5t, RFC 7515 §4.1.7 */
    THUMBPRINT_BOTH = THUMBPRINT_SHA256 | THUMBPRINT_SHA1,
};

/* Appends base64url(digest(DER)). which is one of the two, not both. */
enum keystay_status thumbprint_encode(
    const struct certificate *certificate, enum thumbprint which, struct buf *to, struct keystay_error *err);

/* The same in hexadecimal digits, upper case. */
enum keystay_status thumbprint_encode_hex(
    const struct certificate *certificate, enum thumbprint which, struct buf *to, struct keystay_error *err);

#endif
