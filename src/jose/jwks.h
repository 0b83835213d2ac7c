/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOSE_JWKS_H
#define JOSE_JWKS_H

/* The keys of an issuer, to verify with: JWK and JWK sets (RFC 7517, RFC 7518 §6), read strictly. */

#include "base/json.h"
#include "crypto/public_key.h"

enum {
    JWKS_MAX = 512 * 1024, /* bytes of a whole set; Entra's, with certificates, has some 30 KiB */
    JWKS_KEYS_MAX = 256,
    JWK_NAME_SIZE = 256, /* of kid, x5t and issuer, with the terminating NUL */
};

/* A key that signatures may be verified with. */
struct jwk {
    struct public_key *key;     /* owned */
    const struct alg *alg;      /* the only one that it is for; NULL: any that goes with the key */
    char kid[JWK_NAME_SIZE];    /* "" when absent */
    char x5t[JWK_NAME_SIZE];    /* "" when absent */
    char issuer[JWK_NAME_SIZE]; /* "" when absent; Entra's own member: whose tokens it is for */
};

struct jwks {
    struct jwk *keys; /* owned */
    size_t n_keys;
    size_t n_skipped;                             /* keys of the set that are not among these */
    char skipped_why[KEYSTAY_ERROR_MESSAGE_SIZE]; /* of the last of them, or "" */
};

void jwk_clear(struct jwk *jwk);
void jwks_clear(struct jwks *jwks);

/*
 * Reads one key. KEYSTAY_E_KEY_REFUSED when it is a private or symmetric one: that is a leak, and says so.
 * KEYSTAY_E_ALGORITHM when it is not for verifying, or of a type, curve or algorithm that keystay does not
 * know; KEYSTAY_E_SERVER_RESPONSE when it is malformed; else as public_key_new_rsa.
 */
enum keystay_status jwk_read(const struct json *object, struct jwk *ret_jwk, struct keystay_error *err);

/*
 * Reads {"keys":[...]}, or a single key as a set of one. RFC 7517 §5: keys that are not understood, lack
 * something or are out of range are passed over and counted; but a private or symmetric key is an error
 * (KEYSTAY_E_KEY_REFUSED), wherever in the set. A set without a usable key is none.
 */
enum keystay_status jwks_parse(struct slice text, struct jwks *ret_jwks, struct keystay_error *err);
enum keystay_status jwks_read(const struct json *object, struct jwks *ret_jwks, struct keystay_error *err);

#endif
