/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYSTAY_TOKEN_H
#define KEYSTAY_TOKEN_H

/*
 * An access token (RFC 6749 §1.4), or a client assertion, with its end. The value is a secret: it lives in
 * locked memory and is wiped by keystay_token_free; copies are the caller's to wipe.
 *
 * Thread rule: read by any number of threads, freed when none uses it any more.
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

/* NULL is fine. */
KEYSTAY_PUBLIC void keystay_token_free(struct keystay_token *token);

#ifdef __cplusplus
}
#endif

#endif
