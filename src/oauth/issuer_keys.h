/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_ISSUER_KEYS_H
#define OAUTH_ISSUER_KEYS_H

/*
 * The keys that an issuer signs its tokens with: its metadata names their address, jwks_uri (RFC 8414 §2).
 * Metadata counts only when it names exactly this issuer; the address may be at another host, as many are,
 * but is asked only over TLS.
 */

#include "http/http.h"
#include "jose/jwks.h"
#include "keystay/log.h"

/*
 * KEYSTAY_E_CONFIG when issuer is no URL that may be asked; as metadata_fetch; KEYSTAY_E_SERVER_RESPONSE when
 * there are no keys to verify with, KEYSTAY_E_KEY_REFUSED when they hold a private one.
 */
enum keystay_status issuer_keys_fetch(
    struct http_transport *transport, const char *issuer, bool allow_http, const struct keystay_log *log,
    struct jwks *ret_jwks, struct keystay_error *err);

#endif
