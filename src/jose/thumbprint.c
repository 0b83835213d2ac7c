/* SPDX-License-Identifier: Apache-2.0 */
#include "jose/thumbprint.h"

#include "base/base64url.h"
#include "crypto/digest.h"

static enum keystay_status digest(
    const struct certificate *certificate, enum thumbprint which, uint8_t bytes[CERTIFICATE_SHA256_LEN],
    struct slice *ret_digest, struct keystay_error *err)
{
    const char *name = which == THUMBPRINT_SHA1 ? "SHA1" : "SHA256";
    size_t len = which == THUMBPRINT_SHA1 ? CERTIFICATE_SHA1_LEN : CERTIFICATE_SHA256_LEN;

    TRY(digest_of(name, certificate_der(certificate), bytes, len, err));
    *ret_digest = (struct slice){ bytes, len };
    return KEYSTAY_OK;
}

enum keystay_status thumbprint_encode(
    const struct certificate *certificate, enum thumbprint which, struct buf *to, struct keystay_error *err)
{
    uint8_t bytes[CERTIFICATE_SHA256_LEN];
    struct slice print = { 0 };

    TRY(digest(certificate, which, bytes, &print, err));
    return base64url_encode(print, to, err);
}

enum keystay_status thumbprint_encode_hex(
    const struct certificate *certificate, enum thumbprint which, struct buf *to, struct keystay_error *err)
{
    static const char hex[] = "0123456789ABCDEF";
    uint8_t bytes[CERTIFICATE_SHA256_LEN];
    struct slice print = { 0 };

    TRY(digest(certificate, which, bytes, &print, err));
    for (size_t i = 0; i < print.len; i++) {
        TRY(buf_putc(to, hex[print.data[i] >> 4], err));
        TRY(buf_putc(to, hex[print.data[i] & 0x0F], err));
    }
    return KEYSTAY_OK;
}
