/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

/*
 * The transport seam: one POST of a form, or one GET of a JSON text, answered by a capped response.
 * http/curl.c is the real one; tests bring their own. No redirect is ever followed: an assertion is for one
 * server, and what a server says of itself is believed only of the one that was asked.
 */

#include <stdbool.h>

#include "base/buf.h"

enum {
    HTTP_BODY_MAX = 1024 * 1024, /* bytes of an answer; tokens with many groups have tens of thousands */
    HTTP_HEADER_VALUE_SIZE = 64,
    HTTP_CHALLENGE_SIZE = 1024,
};

struct http_request {
    const char *url;
    const char *const *headers; /* "Name: value", n_headers of them */
    size_t n_headers;
    struct slice form;  /* application/x-www-form-urlencoded; may hold secrets; nothing in a GET */
    int64_t timeout_ms; /* of this exchange; 0: the transport's own */
    bool is_get;
};

/* Header fields are "" when absent, and cut off with "..." when they are longer: for people then, not for
 * programs. */
struct http_response {
    int status;
    struct buf body;
    char date[HTTP_HEADER_VALUE_SIZE];
    char retry_after[HTTP_HEADER_VALUE_SIZE];
    char client_request_id[HTTP_HEADER_VALUE_SIZE];
    char www_authenticate[HTTP_CHALLENGE_SIZE]; /* the last of several */
};

void http_response_clear(struct http_response *response);

struct http_transport;

struct http_ops {
    /* KEYSTAY_OK for any HTTP status. KEYSTAY_E_NETWORK, _TLS, _TIMEOUT, _SERVER_RESPONSE (a body over the
     * cap). */
    enum keystay_status (*exchange)(
        struct http_transport *transport, const struct http_request *request,
        struct http_response *ret_response, struct keystay_error *err);
    void (*close)(struct http_transport *transport);
};

/* The head of every transport's own structure. */
struct http_transport {
    const struct http_ops *ops;
};

/* ret_response is cleared by the caller (http_response_clear), also after a failure. */
enum keystay_status http_post(
    struct http_transport *transport, const struct http_request *request, struct http_response *ret_response,
    struct keystay_error *err);

/* Asks for JSON; timeout_ms as in a request. The same rules. */
enum keystay_status http_get(
    struct http_transport *transport, const char *url, int64_t timeout_ms, struct http_response *ret_response,
    struct keystay_error *err);

void http_transport_freep(struct http_transport **transport);

#endif
