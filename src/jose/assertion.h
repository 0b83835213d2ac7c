/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOSE_ASSERTION_H
#define JOSE_ASSERTION_H

/* Client assertions: the short JWT with which a client proves who it is (RFC 7523 §2.2 and §3). */

#include "base/secret.h"
#include "jose/thumbprint.h"
#include "signer/signer.h"

/* Everything that goes into one. Strings are borrowed. */
struct assertion {
    enum keystay_alg alg;        /* not KEYSTAY_ALG_AUTO */
    enum thumbprint thumbprints; /* of the signer's certificate */
    const char *client_id;       /* iss and sub */
    const char *audience;        /* aud: one string, never an array */
    const char *jti;             /* single use */
    int64_t now_s;               /* nbf and iat */
    int64_t lifetime_s;          /* exp - nbf */
};

/* Composes and signs. *ret_assertion is a bearer credential until it ends. */
enum keystay_status assertion_sign(
    const struct assertion *assertion, struct keystay_signer *signer, struct secret *ret_assertion,
    struct keystay_error *err);

/* The two texts that are signed, for assertion_sign and its tests: exact bytes, members in a fixed order. */
enum keystay_status assertion_header(
    const struct assertion *assertion, const struct certificate *certificate, struct buf *ret_header,
    struct keystay_error *err);
enum keystay_status assertion_claims(
    const struct assertion *assertion, struct buf *ret_claims, struct keystay_error *err);

#endif
