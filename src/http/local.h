/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_LOCAL_H
#define HTTP_LOCAL_H

/*
 * The transport to a server of ours on this machine, at the other end of a socket: HTTP/1.1 (RFC 9112) as far
 * as two programs of one house need it. To load libcurl takes longer than everything else that is done
 * for a token that an agent holds.
 */

#include <stdbool.h>

#include "http/http.h"

/*
 * fd is connected, and taken, also on failure. One exchange goes over it, whatever host the URL names, which
 * is "http://localhost/...". Of the answer status and body are kept. Statuses as of http_ops.
 */
enum keystay_status http_local_new(
    int fd, int64_t timeout_ms, struct http_transport **ret_transport, struct keystay_error *err);

/* One answer, as far as it has come. */
struct local_answer {
    bool is_whole; /* else more must come, and the rest is not known */
    int status;
    struct slice body; /* borrowed from the text */
};

/*
 * Takes an answer apart whose length is said once, in a Content-Length; nothing comes after it.
 * KEYSTAY_E_SERVER_RESPONSE: it is none, or longer than HTTP_BODY_MAX.
 */
enum keystay_status local_answer_parse(
    struct slice text, struct local_answer *ret_answer, struct keystay_error *err);

#endif
