/* SPDX-License-Identifier: Apache-2.0 */
#include "jose/decode.h"

#include <string.h>

#include "base/base64url.h"
#include "base/error.h"
#include "base/str.h"

enum { JWS_PARTS = 3, JWE_PARTS = 5 };

void jws_clear(struct jws *jws)
{
    json_freep(&jws->header);
    buf_clear(&jws->header_text);
    buf_clear(&jws->payload);
    buf_clear(&jws->signature);
    *jws = (struct jws){ 0 };
}

/* The same complaint as an answer about the token: whoever looks at it asked no server. */
static enum keystay_status not_this(enum keystay_status status, const char *part, struct keystay_error *err)
{
    if (status != KEYSTAY_E_SERVER_RESPONSE) {
        return status;
    }
    (void)err_prefix(err, status, "this is no JWT: the %s", part);
    if (err != NULL) {
        err->status = KEYSTAY_E_ANSWER_NO;
    }
    return KEYSTAY_E_ANSWER_NO;
}

/* What else is often taken for a token. */
static enum keystay_status wrong_parts(struct slice text, size_t n_parts, struct keystay_error *err)
{
    if (n_parts == JWE_PARTS) {
        return err_set_hint(
            err, KEYSTAY_E_ANSWER_NO, "only whom it was encrypted for can read it",
            "this is an encrypted token (JWE, five parts)");
    }
    if (text.len > 0 && text.data[0] == '{') {
        return err_set_hint(
            err, KEYSTAY_E_ANSWER_NO, "give the token alone, as keystay token prints it",
            "this is JSON, not a JWT in compact form");
    }
    return err_set_hint(
        err, KEYSTAY_E_ANSWER_NO, "is it an opaque token? only the server that issued it can read that",
        "this is no JWT: it has %zu part%s, not three with a dot between", n_parts, n_parts == 1 ? "" : "s");
}

/* Cuts text at its dots. */
static enum keystay_status split(
    struct slice text, struct slice ret_parts[JWS_PARTS], struct keystay_error *err)
{
    size_t n_parts = 1;
    size_t start = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '.') {
            if (n_parts <= JWS_PARTS) {
                ret_parts[n_parts - 1] = (struct slice){ text.data + start, i - start };
            }
            n_parts++;
            start = i + 1;
        }
    }
    if (n_parts != JWS_PARTS || (text.len > 0 && text.data[0] == '{')) {
        return wrong_parts(text, n_parts, err);
    }
    ret_parts[JWS_PARTS - 1] = (struct slice){ text.data + start, text.len - start };
    return KEYSTAY_OK;
}

static enum keystay_status decode_part(
    struct slice part, const char *name, struct buf *ret_bytes, struct keystay_error *err)
{
    *ret_bytes = BUF(JWT_MAX);
    return not_this(base64url_decode(part, ret_bytes, err), name, err);
}

/* A member that is absent or a string. */
static enum keystay_status header_text(
    const struct json *header, const char *name, const char **ret_text, struct keystay_error *err)
{
    const struct json *member = json_member(header, name);

    if (member != NULL && json_type(member) != JSON_STRING) {
        return err_set(err, KEYSTAY_E_ANSWER_NO, "this is no JWT: \"%s\" in the header is not a text", name);
    }
    *ret_text = json_text(member);
    return KEYSTAY_OK;
}

static enum keystay_status check_extensions(const struct json *header, struct keystay_error *err)
{
    const struct json *b64 = json_member(header, "b64");

    /* RFC 7515 §4.1.11: if any of the listed extensions are not understood, then the JWS is invalid. */
    if (json_has(header, "crit")) {
        return err_set(
            err, KEYSTAY_E_ANSWER_NO, "the token's header has extensions that must be understood (\"crit\")");
    }
    /* RFC 7797 §6: it has to be listed in crit; where it is not, others sign over something else than we do.
     */
    if (b64 != NULL && !json_is_true(b64)) {
        return err_set(err, KEYSTAY_E_ANSWER_NO, "the token's payload is not encoded (\"b64\")");
    }
    return KEYSTAY_OK;
}

static enum keystay_status read_header(struct jws *jws, struct keystay_error *err)
{
    TRY(not_this(json_parse_object(buf_slice(&jws->header_text), &jws->header, err), "header", err));
    TRY(header_text(jws->header, "alg", &jws->alg, err));
    TRY(header_text(jws->header, "kid", &jws->kid, err));
    TRY(header_text(jws->header, "typ", &jws->typ, err));
    if (jws->alg == NULL) {
        return err_set(err, KEYSTAY_E_ANSWER_NO, "this is no JWT: its header names no algorithm");
    }
    if (str_iequal(jws->alg, "none") || jws->signature.len == 0) {
        return err_set(
            err, KEYSTAY_E_ANSWER_NO, "the token is not signed: anybody can have made it%s",
            jws->signature.len == 0 ? "" : " (alg none)");
    }
    return check_extensions(jws->header, err);
}

enum keystay_status jws_decode(struct slice text, struct jws *ret_jws, struct keystay_error *err)
{
    CLEANUP(jws_clear) struct jws jws = { 0 };
    struct slice parts[JWS_PARTS] = { { 0 } };

    if (text.len > JWT_MAX) {
        return err_set(err, KEYSTAY_E_ANSWER_NO, "this is no JWT: it is longer than %d bytes", JWT_MAX);
    }
    TRY(split(text, parts, err));
    TRY(decode_part(parts[0], "first part (header)", &jws.header_text, err));
    TRY(decode_part(parts[1], "second part (payload)", &jws.payload, err));
    TRY(decode_part(parts[2], "third part (signature)", &jws.signature, err));
    TRY(read_header(&jws, err));
    jws.input = (struct slice){ text.data, (size_t)(parts[2].data - text.data) - 1 };
    *ret_jws = jws;
    jws = (struct jws){ 0 };
    return KEYSTAY_OK;
}

enum keystay_status jwt_claims(const struct jws *jws, struct json **ret_claims, struct keystay_error *err)
{
    return not_this(json_parse_object(buf_slice(&jws->payload), ret_claims, err), "payload", err);
}
