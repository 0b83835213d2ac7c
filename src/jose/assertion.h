/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOSE_ASSERTION_H
#define JOSE_ASSERTION_H

/*
 * Assertions: the short JWT with which a client proves who it is (RFC 7523 §2.2 and §3), or that stands for a
 * grant (RFC 7523 §2.1).
 *
 * The structure is all there is to say: flat, typed, every field with its range, so that it can be sent to
 * another process field by field, checked there again, and composed there. It has no place for JSON or for
 * bytes that somebody else composed.
 */

#include <stdbool.h>

#include "base/secret.h"
#include "jose/thumbprint.h"
#include "signer/signer.h"

enum {
    ASSERTION_TEXT_MAX = 2048, /* bytes of any string in it, without the NUL */
    ASSERTION_EXTRA_MAX = 4,
    ASSERTION_EXTRA_NAME_MAX = 64, /* bytes */
    ASSERTION_LIFETIME_MAX_S = 86400,
    ASSERTION_BACKDATE_MAX_S = 3600,
};

enum assertion_typ {
    ASSERTION_TYP_NONE,
    ASSERTION_TYP_JWT,
    ASSERTION_TYP_CLIENT_AUTHENTICATION, /* "client-authentication+jwt", RFC 7523bis */
};

/* What the server knows the key by: `kid`, RFC 7515 §4.1.4. */
enum assertion_kid {
    ASSERTION_KID_NONE,
    ASSERTION_KID_TEXT,       /* the field kid, as it is */
    ASSERTION_KID_JWK,        /* RFC 7638 thumbprint of the public key, SHA-256, base64url */
    ASSERTION_KID_SHA1,       /* of the certificate, base64url: as x5t */
    ASSERTION_KID_SHA256,     /* of the certificate, base64url: as x5t#S256 */
    ASSERTION_KID_SHA1_HEX,   /* of the certificate, 40 upper-case digits: as Windows shows it */
    ASSERTION_KID_SHA256_HEX, /* of the certificate, 64 upper-case digits */
};

/* A claim that is in no field of its own: a string by its name. */
struct assertion_claim {
    const char *name; /* 1 to ASSERTION_EXTRA_NAME_MAX visible ASCII characters, none of the claims below */
    const char *value;
};

/*
 * Everything that goes into one. Strings are borrowed, UTF-8, 1 to ASSERTION_TEXT_MAX bytes; where NULL is
 * allowed it leaves the member out.
 */
struct assertion {
    enum keystay_alg alg;        /* not KEYSTAY_ALG_AUTO */
    enum assertion_typ typ;      /* header typ */
    enum assertion_kid kid_form; /* header kid */
    const char *kid;             /* only with ASSERTION_KID_TEXT; else NULL */
    int thumbprints;             /* header x5t#S256, x5t: bits of enum thumbprint, 0 for none */
    bool has_x5c;                /* header x5c: the leaf certificate alone, RFC 7515 §4.1.6 */

    const char *audience; /* aud: one string, never an array */
    const char *issuer;   /* iss */
    const char *subject;  /* sub, or NULL */
    const char *jti;      /* jti, or NULL */
    const char *scope;    /* scope, or NULL */
    bool has_nbf;         /* nbf: now_s - backdate_s */
    bool has_iat;         /* iat: the same */
    int64_t now_s;        /* 0 to 2^53 */
    int64_t backdate_s;   /* 0 to ASSERTION_BACKDATE_MAX_S */
    int64_t lifetime_s;   /* exp - now_s: 1 to ASSERTION_LIFETIME_MAX_S */

    size_t n_extra; /* 0 to ASSERTION_EXTRA_MAX */
    struct assertion_claim extra[ASSERTION_EXTRA_MAX];
};

/* Whether every field is in its range. KEYSTAY_E_CONFIG for a string, KEYSTAY_E_INTERNAL for the rest. */
enum keystay_status assertion_check(const struct assertion *assertion, struct keystay_error *err);

/* Checks, composes and signs. *ret_assertion is a bearer credential until it ends. */
enum keystay_status assertion_sign(
    const struct assertion *assertion, struct keystay_signer *signer, struct secret *ret_assertion,
    struct keystay_error *err);

/*
 * Checks, and appends the two texts that are signed: exact bytes, members in a fixed order. For whoever signs
 * in another place than assertion_sign.
 */
enum keystay_status assertion_compose(
    const struct assertion *assertion, const struct certificate *certificate, struct buf *ret_header,
    struct buf *ret_claims, struct keystay_error *err);

#endif
