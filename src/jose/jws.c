/* SPDX-License-Identifier: Apache-2.0 */
#include "jose/jws.h"

#include "base/base64url.h"

enum keystay_status jws_sign(
    struct keystay_signer *signer, enum tbs_kind kind, enum keystay_alg alg, struct slice header,
    struct slice payload, struct secret *ret_jws, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf jws = BUF(JWS_MAX);
    CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);

    TRY(base64url_encode(header, &jws, err));
    TRY(buf_putc(&jws, '.', err));
    TRY(base64url_encode(payload, &jws, err));
    /* RFC 7515 §5.1 step 5: the JWS Signing Input is what stands in the buffer now. */
    const struct tbs tbs = { kind, alg, buf_slice(&jws) };
    TRY(signer_sign(signer, &tbs, &signature, err));
    TRY(buf_putc(&jws, '.', err));
    TRY(base64url_encode(buf_slice(&signature), &jws, err));
    return secret_set(ret_jws, buf_slice(&jws), err);
}
