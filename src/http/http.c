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
    return transport->ops->post(transport, request, ret_response, err);
}

void http_transport_freep(struct http_transport **transport)
{
    if (*transport != NULL) {
        (*transport)->ops->close(*transport);
    }
    *transport = NULL;
}
