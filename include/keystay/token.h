/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYSTAY_TOKEN_H
#define KEYSTAY_TOKEN_H

/*
 * An access token (RFC 6749 §1.4), or a client assertion, with its end. The value is a secret: it lives in
 * locked memory and is wiped when its last holder has freed it; copies are the caller's to wipe. Callers who
 * asked for the same token hold one and the same: each frees what it was given.
 *
 * Thread rule: read by any number of threads; each holder frees it once, when it uses it no more.
 */

#include <stddef.h>
#include <stdint.h>

#include "keystay/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct keystay_token;

/* Only visible ASCII, so that it is safe in an Authorization header. NUL-terminated, borrowed until the token
 * is freed. */
KEYSTAY_PUBLIC const char *keystay_token_value(const struct keystay_token *token);

/* Unix seconds, by this machine's clock. */
KEYSTAY_PUBLIC int64_t keystay_token_expires_at_s(const struct keystay_token *token);

/*
 * Unix seconds: when the server would have it renewed, although it lives on ("refresh_in"); 0 when it did not
 * say. keystay_client_acquire sees to it.
 */
KEYSTAY_PUBLIC int64_t keystay_token_refresh_at_s(const struct keystay_token *token);

/*
 * Unix seconds: until when a resource may take it while the authorization server is down ("ext_expires_in"
 * of Entra), later than expires_at_s; 0 when the server did not say. For the caller to know: keystay serves
 * no token after its end.
 */
KEYSTAY_PUBLIC int64_t keystay_token_ext_expires_at_s(const struct keystay_token *token);

/* NULL is fine. */
KEYSTAY_PUBLIC void keystay_token_free(struct keystay_token *token);

#ifdef __cplusplus
}
#endif

#endif
