/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTPD_REQUEST_H
#define HTTPD_REQUEST_H

/* The inside of a request, for the files that are the HTTP server: httpd.c, request.c. */

#include <microhttpd.h>

#include "httpd/connections.h"
#include "httpd/httpd.h"

struct request {
    struct httpd *httpd;
    struct MHD_Connection *connection;
    struct connection *from;
    const char *method; /* borrowed from the connection, as path */
    const char *path;
    struct buf body;
    bool is_too_large; /* the body */
    bool is_handled;
    bool is_waiting; /* or was: libmicrohttpd's thread sets it, before anybody else has the request */
    const void *note;
    struct page *page; /* the answer, once there is one */
};

/* NULL when memory is out, or nobody knows who is there. */
struct request *request_new(
    struct httpd *httpd, struct MHD_Connection *connection, const char *method, const char *path);
void request_free(struct request *request);

/*
 * Whether its headers mean the same to everybody (RFC 9112 §3.2, §5.1, §6.3, RFC 9110 §5.5): where the body
 * ends is said once at most, and the host; names are tokens, and values text in one line.
 */
bool request_is_clear(const struct request *request);

#endif
