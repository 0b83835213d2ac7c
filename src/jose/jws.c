/* SPDX-License-Identifier: Apache-2.0 */
#include "jose/jws.h"

#include "base/base64url.h"

enum keystay_status jws_signing_input(
    struct slice header, struct slice payload, struct buf *ret_input, struct keystay_error *err)
{
    TRY(base64url_encode(header, ret_input, err));
    TRY(buf_putc(ret_input, '.', err));
    return base64url_encode(payload, ret_input, err);
}

enum keystay_status jws_sign(
    struct keystay_signer *signer, enum tbs_kind kind, const void *fields, enum keystay_alg alg,
    struct slice header, struct slice payload, struct secret *ret_jws, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf jws = BUF(JWS_MAX);
    CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);

    TRY(jws_signing_input(header, payload, &jws, err));
    const struct tbs tbs = { kind, alg, buf_slice(&jws), fields };
    TRY(signer_sign(signer, &tbs, &signature, err));
    TRY(buf_putc(&jws, '.', err));
    TRY(base64url_encode(buf_slice(&signature), &jws, err));
    return secret_set(ret_jws, buf_slice(&jws), err);
}
