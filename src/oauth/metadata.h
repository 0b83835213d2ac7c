/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_METADATA_H
#define OAUTH_METADATA_H

/*
 * What an authorization server says of itself (RFC 8414, OpenID Connect Discovery 1.0). It is hostile input,
 * and it says where credentials are sent: it is taken from the issuer's own host, over TLS, and only when it
 * names exactly the issuer that was asked for.
 */

#include <stdbool.h>

#include "crypto/alg.h"
#include "http/http.h"
#include "http/url.h"
#include "keystay/log.h"

struct metadata {
    char token_endpoint[URL_MAX]; /* https, as url_check says; its host may be any */
    char jwks_uri[URL_MAX];       /* likewise; "" when there is none */
    bool has_private_key_jwt;     /* token_endpoint_auth_methods_supported lists it */
    bool has_algs;                /* token_endpoint_auth_signing_alg_values_supported is there */
    alg_set algs;                 /* those of it that keystay knows */
};

/*
 * Asks {issuer}/.well-known/openid-configuration, and where the server does not have that,
 * /.well-known/oauth-authorization-server{path of the issuer}. issuer has passed url_check. timeout_ms is for
 * each GET, 0: the transport's own. *ret_response is the last answer, also after a failure: its Retry-After
 * is for whoever tries again; the caller clears it. KEYSTAY_E_NETWORK, _TLS, _TIMEOUT, _THROTTLED,
 * _SERVER_DOWN may pass; KEYSTAY_E_SERVER_RESPONSE will not.
 */
enum keystay_status metadata_fetch(
    struct http_transport *transport, const char *issuer, bool allow_http, int64_t timeout_ms,
    const struct keystay_log *log, struct http_response *ret_response, struct metadata *ret_metadata,
    struct keystay_error *err);

/* The text of one answer. KEYSTAY_E_SERVER_RESPONSE. */
enum keystay_status metadata_parse(
    struct slice body, const char *issuer, bool allow_http, struct metadata *ret_metadata,
    struct keystay_error *err);

#endif
