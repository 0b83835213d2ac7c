/* SPDX-License-Identifier: Apache-2.0 */
#include "jose/assertion.h"

#include "base/error.h"
#include "base/json_write.h"
#include "jose/jws.h"

enum { PART_MAX = 16 * 1024, THUMBPRINT_TEXT_MAX = 64 };

static enum keystay_status put_thumbprint(
    struct json_write *out, const char *name, const struct certificate *certificate, enum thumbprint which,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(THUMBPRINT_TEXT_MAX);

    TRY(thumbprint_encode(certificate, which, &text, err));
    return json_write_slice(out, name, buf_slice(&text), err);
}

enum keystay_status assertion_header(
    const struct assertion *assertion, const struct certificate *certificate, struct buf *ret_header,
    struct keystay_error *err)
{
    const struct alg *alg = alg_by_id(assertion->alg);
    struct json_write out = JSON_WRITE(ret_header);

    if (alg == NULL) {
        return err_set(err, KEYSTAY_E_INTERNAL, "an assertion without an algorithm");
    }
    TRY(json_write_str(&out, "alg", alg->name, err));
    TRY(json_write_str(&out, "typ", "JWT", err));
    if (assertion->thumbprints & THUMBPRINT_SHA256) {
        TRY(put_thumbprint(&out, "x5t#S256", certificate, THUMBPRINT_SHA256, err));
    }
    if (assertion->thumbprints & THUMBPRINT_SHA1) {
        TRY(put_thumbprint(&out, "x5t", certificate, THUMBPRINT_SHA1, err));
    }
    return json_write_end(&out, err);
}

enum keystay_status assertion_claims(
    const struct assertion *assertion, struct buf *ret_claims, struct keystay_error *err)
{
    struct json_write out = JSON_WRITE(ret_claims);

    TRY(json_write_str(&out, "aud", assertion->audience, err));
    TRY(json_write_str(&out, "iss", assertion->client_id, err));
    TRY(json_write_str(&out, "sub", assertion->client_id, err));
    TRY(json_write_str(&out, "jti", assertion->jti, err));
    TRY(json_write_i64(&out, "nbf", assertion->now_s, err));
    TRY(json_write_i64(&out, "iat", assertion->now_s, err));
    TRY(json_write_i64(&out, "exp", assertion->now_s + assertion->lifetime_s, err));
    return json_write_end(&out, err);
}

enum keystay_status assertion_sign(
    const struct assertion *assertion, struct keystay_signer *signer, struct secret *ret_assertion,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf header = BUF(PART_MAX);
    CLEANUP(buf_clear) struct buf claims = BUF(PART_MAX);

    TRY(assertion_header(assertion, signer_certificate(signer), &header, err));
    TRY(assertion_claims(assertion, &claims, err));
    return jws_sign(
        signer, TBS_ASSERTION, assertion->alg, buf_slice(&header), buf_slice(&claims), ret_assertion, err);
}
