/* SPDX-License-Identifier: Apache-2.0 */
#include "jose/thumbprint.h"

#include "base/base64url.h"
#include "crypto/digest.h"

enum keystay_status thumbprint_encode(
    const struct certificate *certificate, enum thumbprint which, struct buf *to, struct keystay_error *err)
{
    uint8_t digest[CERTIFICATE_SHA256_LEN];
    size_t len = which == THUMBPRINT_SHA1 ? CERTIFICATE_SHA1_LEN : CERTIFICATE_SHA256_LEN;

    TRY(digest_of(
        which == THUMBPRINT_SHA1 ? "SHA1" : "SHA256", certificate_der(certificate), digest, len, err));
    return base64url_encode((struct slice){ digest, len }, to, err);
}
