/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOSE_VERIFY_H
#define JOSE_VERIFY_H

/*
 * Whether a token is genuine and for us (RFC 7515 §5.2, RFC 7519 §7.2, RFC 8725).
 *
 * The algorithm is the key's affair: what the token's header names must go with the key that was chosen, and
 * be in the table of crypto/alg.h, where neither "none" nor an algorithm with a shared secret is. The key is
 * the verifier's affair: no address and no certificate in the token is followed. The answer "no" is
 * KEYSTAY_E_ANSWER_NO with the reason, everywhere here; another status means that it could not be found out.
 */

#include "crypto/certificate.h"
#include "jose/decode.h"
#include "jose/jwks.h"

enum { VERIFY_LEEWAY_MAX_S = 300, VERIFY_ISSUER_SIZE = 512 };

/*
 * The key of the set that the token names: the one with its kid, which no second may have; without kid the
 * only one that goes with its algorithm. Borrowed from jwks.
 */
enum keystay_status verify_choose_key(
    const struct jws *jws, const struct jwks *jwks, const struct jwk **ret_jwk, struct keystay_error *err);

enum keystay_status verify_with_jwk(const struct jws *jws, const struct jwk *jwk, struct keystay_error *err);

/* The certificate must be valid at now_s, and the thumbprints in the header, if any, must be its own. */
enum keystay_status verify_with_certificate(
    const struct jws *jws, const struct certificate *certificate, int64_t now_s, struct keystay_error *err);

/* What the claims must say. */
struct verify_rules {
    const char *issuer;   /* iss, to the letter; "{tenantid}" in it stands for the GUID in tid. NULL: any */
    const char *audience; /* aud, or one of them, to the letter. NULL: any */
    const char *typ;      /* of the header, without "application/"; any case. NULL: any */
    int64_t now_s;
    int64_t leeway_s; /* how far clocks may be apart */
};

/*
 * The issuer that the rules ask for, with the tenant that the token says in the place of "{tenantid}"; and
 * whether it is the token's. For before the keys are fetched: a token of another issuer is known then.
 */
enum keystay_status verify_issuer(
    const struct json *claims, const char *issuer, char ret_issuer[VERIFY_ISSUER_SIZE],
    struct keystay_error *err);

/* Issuer, audience, typ; exp, which must be there, nbf and iat. */
enum keystay_status verify_claims(
    const struct jws *jws, const struct json *claims, const struct verify_rules *rules,
    struct keystay_error *err);

/* Entra: a key that says whose tokens it is for may verify no others. */
enum keystay_status verify_key_issuer(
    const struct jwk *jwk, const struct json *claims, struct keystay_error *err);

#endif
