/* SPDX-License-Identifier: Apache-2.0 */
#include "jose/assertion.h"

#include <string.h>

#include "base/base64url.h"
#include "base/error.h"
#include "base/json_write.h"
#include "base/str.h"
#include "jose/jwk.h"
#include "jose/jws.h"

enum { PART_MAX = 32 * 1024, DIGEST_TEXT_MAX = 64, X5C_MAX = 16 * 1024 };

static const int64_t now_max_s = 9007199254740992; /* 2^53: beyond it JSON numbers skip (RFC 7493 §2.2) */

/* The claims that have a field, and so cannot come a second time as an extra. */
static const char *const own_claims[] = { "aud", "iss", "sub", "jti", "scope", "nbf", "iat", "exp" };

static const char *typ_text(enum assertion_typ typ)
{
    return typ == ASSERTION_TYP_CLIENT_AUTHENTICATION ? "client-authentication+jwt" : "JWT";
}

static enum keystay_status check_text(const char *name, const char *text, struct keystay_error *err)
{
    size_t len = text == NULL ? 0 : strnlen(text, ASSERTION_TEXT_MAX + 1);

    if (len == 0 || len > ASSERTION_TEXT_MAX) {
        return err_set(
            err, KEYSTAY_E_CONFIG, "the assertion's %s is %s", name, len == 0 ? "empty" : "too long");
    }
    if (!str_is_utf8((struct slice){ (const uint8_t *)text, len })) {
        return err_set(err, KEYSTAY_E_CONFIG, "the assertion's %s is not UTF-8", name);
    }
    return KEYSTAY_OK;
}

static enum keystay_status check_text_or_null(const char *name, const char *text, struct keystay_error *err)
{
    return text == NULL ? KEYSTAY_OK : check_text(name, text, err);
}

static bool is_taken(const struct assertion *assertion, size_t i)
{
    const char *name = assertion->extra[i].name;

    for (size_t k = 0; k < ARRAY_LEN(own_claims); k++) {
        if (str_equal(name, own_claims[k])) {
            return true;
        }
    }
    for (size_t k = 0; k < i; k++) {
        if (str_equal(name, assertion->extra[k].name)) {
            return true;
        }
    }
    return false;
}

static enum keystay_status check_extra(const struct assertion *assertion, struct keystay_error *err)
{
    if (assertion->n_extra > ASSERTION_EXTRA_MAX) {
        return err_set(err, KEYSTAY_E_INTERNAL, "an assertion with too many claims");
    }
    for (size_t i = 0; i < assertion->n_extra; i++) {
        const char *name = assertion->extra[i].name;

        TRY(check_text("further claim's name", name, err));
        if (strlen(name) > ASSERTION_EXTRA_NAME_MAX || !str_is_visible_ascii(slice_of_str(name)) ||
            is_taken(assertion, i)) {
            return err_set(err, KEYSTAY_E_CONFIG, "a further claim has no name, a wrong one, or another's");
        }
        TRY(check_text("further claim's value", assertion->extra[i].value, err));
    }
    return KEYSTAY_OK;
}

static bool are_numbers_in_range(const struct assertion *assertion)
{
    return assertion->typ >= ASSERTION_TYP_NONE && assertion->typ <= ASSERTION_TYP_CLIENT_AUTHENTICATION &&
           assertion->kid_form >= ASSERTION_KID_NONE && assertion->kid_form <= ASSERTION_KID_SHA256_HEX &&
           (assertion->thumbprints & ~THUMBPRINT_BOTH) == 0 && assertion->now_s >= 0 &&
           assertion->now_s <= now_max_s && assertion->backdate_s >= 0 &&
           assertion->backdate_s <= ASSERTION_BACKDATE_MAX_S && assertion->backdate_s <= assertion->now_s &&
           assertion->lifetime_s > 0 && assertion->lifetime_s <= ASSERTION_LIFETIME_MAX_S;
}

enum keystay_status assertion_check(const struct assertion *assertion, struct keystay_error *err)
{
    if (alg_by_id(assertion->alg) == NULL) {
        return err_set(err, KEYSTAY_E_INTERNAL, "an assertion without an algorithm");
    }
    if (!are_numbers_in_range(assertion)) {
        return err_set(err, KEYSTAY_E_INTERNAL, "an assertion with a field out of its range");
    }
    if ((assertion->kid_form == ASSERTION_KID_TEXT) != (assertion->kid != NULL)) {
        return err_set(err, KEYSTAY_E_INTERNAL, "an assertion with a key id too many or too few");
    }
    TRY(check_text("audience", assertion->audience, err));
    TRY(check_text("issuer", assertion->issuer, err));
    TRY(check_text_or_null("subject", assertion->subject, err));
    TRY(check_text_or_null("jti", assertion->jti, err));
    TRY(check_text_or_null("scope", assertion->scope, err));
    TRY(check_text_or_null("key id", assertion->kid, err));
    return check_extra(assertion, err);
}

static enum keystay_status put_thumbprint(
    struct json_write *out, const char *name, const struct certificate *certificate, enum thumbprint which,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(DIGEST_TEXT_MAX);

    TRY(thumbprint_encode(certificate, which, &text, err));
    return json_write_slice(out, name, buf_slice(&text), err);
}

static enum keystay_status put_kid(
    struct json_write *out, const struct assertion *assertion, const struct certificate *certificate,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(DIGEST_TEXT_MAX);

    switch (assertion->kid_form) {
    case ASSERTION_KID_NONE:
        return KEYSTAY_OK;
    case ASSERTION_KID_TEXT:
        return json_write_str(out, "kid", assertion->kid, err);
    case ASSERTION_KID_JWK:
        TRY(jwk_thumbprint(certificate_public_key(certificate), &text, err));
        break;
    case ASSERTION_KID_SHA1:
        TRY(thumbprint_encode(certificate, THUMBPRINT_SHA1, &text, err));
        break;
    case ASSERTION_KID_SHA256:
        TRY(thumbprint_encode(certificate, THUMBPRINT_SHA256, &text, err));
        break;
    case ASSERTION_KID_SHA1_HEX:
        TRY(thumbprint_encode_hex(certificate, THUMBPRINT_SHA1, &text, err));
        break;
    case ASSERTION_KID_SHA256_HEX:
        TRY(thumbprint_encode_hex(certificate, THUMBPRINT_SHA256, &text, err));
        break;
    }
    return json_write_slice(out, "kid", buf_slice(&text), err);
}

/* RFC 7515 §4.1.6: each string in the array is a base64-encoded (not base64url) DER certificate. The leaf is
 * enough: the servers that read x5c know the issuing certificate by configuration. */
static enum keystay_status put_x5c(
    struct json_write *out, const struct certificate *certificate, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(X5C_MAX);

    TRY(base64_encode(certificate_der(certificate), &text, err));
    TRY(json_write_begin(out, "x5c", '[', err));
    TRY(json_write_item(out, buf_str(&text), err));
    return json_write_finish(out, ']', err);
}

static enum keystay_status put_header(
    const struct assertion *assertion, const struct certificate *certificate, struct buf *to,
    struct keystay_error *err)
{
    struct json_write out = JSON_WRITE(to);

    TRY(json_write_str(&out, "alg", alg_by_id(assertion->alg)->name, err));
    if (assertion->typ != ASSERTION_TYP_NONE) {
        TRY(json_write_str(&out, "typ", typ_text(assertion->typ), err));
    }
    TRY(put_kid(&out, assertion, certificate, err));
    if (assertion->thumbprints & THUMBPRINT_SHA256) {
        TRY(put_thumbprint(&out, "x5t#S256", certificate, THUMBPRINT_SHA256, err));
    }
    if (assertion->thumbprints & THUMBPRINT_SHA1) {
        TRY(put_thumbprint(&out, "x5t", certificate, THUMBPRINT_SHA1, err));
    }
    if (assertion->has_x5c) {
        TRY(put_x5c(&out, certificate, err));
    }
    return json_write_end(&out, err);
}

static enum keystay_status put_str(
    struct json_write *out, const char *name, const char *value, struct keystay_error *err)
{
    return value == NULL ? KEYSTAY_OK : json_write_str(out, name, value, err);
}

static enum keystay_status put_claims(
    const struct assertion *assertion, struct buf *to, struct keystay_error *err)
{
    struct json_write out = JSON_WRITE(to);
    int64_t since_s = assertion->now_s - assertion->backdate_s;

    TRY(json_write_str(&out, "aud", assertion->audience, err));
    TRY(json_write_str(&out, "iss", assertion->issuer, err));
    TRY(put_str(&out, "sub", assertion->subject, err));
    TRY(put_str(&out, "jti", assertion->jti, err));
    TRY(put_str(&out, "scope", assertion->scope, err));
    if (assertion->has_nbf) {
        TRY(json_write_i64(&out, "nbf", since_s, err));
    }
    if (assertion->has_iat) {
        TRY(json_write_i64(&out, "iat", since_s, err));
    }
    TRY(json_write_i64(&out, "exp", assertion->now_s + assertion->lifetime_s, err));
    for (size_t i = 0; i < assertion->n_extra; i++) {
        TRY(json_write_str(&out, assertion->extra[i].name, assertion->extra[i].value, err));
    }
    return json_write_end(&out, err);
}

enum keystay_status assertion_compose(
    const struct assertion *assertion, const struct certificate *certificate, struct buf *ret_header,
    struct buf *ret_claims, struct keystay_error *err)
{
    TRY(assertion_check(assertion, err));
    TRY(put_header(assertion, certificate, ret_header, err));
    return put_claims(assertion, ret_claims, err);
}

enum keystay_status assertion_sign(
    const struct assertion *assertion, struct keystay_signer *signer, struct secret *ret_assertion,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf header = BUF(PART_MAX);
    CLEANUP(buf_clear) struct buf claims = BUF(PART_MAX);

    TRY(assertion_compose(assertion, signer_certificate(signer), &header, &claims, err));
    return jws_sign(
        signer, TBS_ASSERTION, assertion, assertion->alg, buf_slice(&header), buf_slice(&claims),
        ret_assertion, err);
}
