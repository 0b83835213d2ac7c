/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_TOKEN_RESPONSE_H
#define OAUTH_TOKEN_RESPONSE_H

#include "http/http.h"
#include "oauth/access_token.h"

enum {
    TOKEN_EXPIRES_DEFAULT_S = 300, /* when the server does not say; RFC 6749 §5.1 leaves it open */
    TOKEN_EXPIRES_MAX_S = 10 * 366 * 86400,
};

/*
 * A token endpoint's answer, success or not (RFC 6749 §5.1 and §5.2). asked_at_s is when the request was
 * sent: a token's life counts from then at the latest. url is for messages. *ret_token is owned. Beside the
 * parse errors (KEYSTAY_E_SERVER_RESPONSE, _SERVER_TOKEN_TYPE): KEYSTAY_E_SERVER_REFUSED, _THROTTLED,
 * _SERVER_DOWN.
 */
enum keystay_status token_response_parse(
    const struct http_response *response, const char *url, int64_t asked_at_s,
    struct keystay_token **ret_token, struct keystay_error *err);

/* The two halves, for the one above, tests and fuzzers. The second never returns KEYSTAY_OK. */
enum keystay_status token_response_parse_success(
    struct slice body, int64_t asked_at_s, struct keystay_token **ret_token, struct keystay_error *err);
enum keystay_status token_response_parse_failure(
    int http_status, struct slice body, const char *url, struct keystay_error *err);

#endif
