/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOSE_JWK_H
#define JOSE_JWK_H

/* Public keys as JSON (RFC 7517), written. jose/jwks.h reads them. */

#include "base/json_write.h"
#include "crypto/public_key.h"

/*
 * The members that make the key, in the order of RFC 7638 §3.2, into an object that is open. Only RSA and the
 * curves of crypto/public_key.h; KEYSTAY_E_ALGORITHM for any other.
 */
enum keystay_status jwk_write_key(
    struct json_write *out, const struct public_key *key, struct keystay_error *err);

/* The same with "use":"sig", for a server to register; kid and alg, where not NULL. */
enum keystay_status jwk_write(
    struct json_write *out, const struct public_key *key, const char *kid, const struct alg *alg,
    struct keystay_error *err);

/* Appends base64url(SHA-256) of the key's canonical JWK (RFC 7638 §3). */
enum keystay_status jwk_thumbprint(const struct public_key *key, struct buf *to, struct keystay_error *err);

#endif
