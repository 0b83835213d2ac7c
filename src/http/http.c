/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http.h"

void http_response_clear(struct http_response *response)
{
    buf_clear(&response->body);
    *response = (struct http_response){ 0 };
}

enum keystay_status http_post(
    struct http_transport *transport, const struct http_request *request, struct http_response *ret_response,
    struct keystay_error *err)
{
    *ret_response = (struct http_response){ .body = BUF(HTTP_BODY_MAX) };
    return transport->ops->exchange(transport, request, ret_response, err);
}

enum keystay_status http_get(
    struct http_transport *transport, const char *url, int64_t timeout_ms, struct http_response *ret_response,
    struct keystay_error *err)
{
    static const char *const headers[] = { "Accept: application/json" };
    const struct http_request request = {
        .url = url,
        .headers = headers,
        .n_headers = ARRAY_LEN(headers),
        .timeout_ms = timeout_ms,
        .is_get = true,
    };

    *ret_response = (struct http_response){ .body = BUF(HTTP_BODY_MAX) };
    return transport->ops->exchange(transport, &request, ret_response, err);
}

void http_transport_freep(struct http_transport **transport)
{
    if (*transport != NULL) {
        (*transport)->ops->close(*transport);
    }
    *transport = NULL;
}
