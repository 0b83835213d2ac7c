/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOSE_DECODE_H
#define JOSE_DECODE_H

/*
 * Taking a token apart: JWS compact serialisation (RFC 7515 §7.1), and the JWT in it (RFC 7519). Nothing here
 * says that a token is genuine; that is jose/verify.h.
 */

#include "base/buf.h"
#include "base/json.h"

enum { JWT_MAX = 256 * 1024 }; /* bytes of the whole text */

/* A token in its parts. All of it may be a secret: with its signature it is a bearer credential. */
struct jws {
    struct json *header;    /* owned */
    const char *alg;        /* borrowed from the header */
    const char *kid;        /* borrowed from the header; NULL when absent */
    const char *typ;        /* likewise */
    struct buf header_text; /* the JSON text of the header */
    struct buf payload;
    struct buf signature; /* never empty */
    struct slice input;   /* what was signed: borrowed from the text */
};

/*
 * Takes text apart, strictly: three parts, canonical base64url, a header that is one JSON object without a
 * member twice, and no extension (crit, b64) that would change what the signature means. A token without
 * signature (alg none) is not taken apart either. KEYSTAY_E_ANSWER_NO says what is wrong and quotes nothing.
 * text must stay while ret_jws is used; ret_jws is cleared with jws_clear.
 */
enum keystay_status jws_decode(struct slice text, struct jws *ret_jws, struct keystay_error *err);
void jws_clear(struct jws *jws);

/* The claims: the payload as a JSON object (RFC 7519 §7.2). Owned. KEYSTAY_E_ANSWER_NO when it is none. */
enum keystay_status jwt_claims(const struct jws *jws, struct json **ret_claims, struct keystay_error *err);

#endif
