/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_CURL_H
#define HTTP_CURL_H

#include <stdbool.h>

#include "http/http.h"

struct http_curl_config {
    const char *cacert; /* PEM file to trust instead of the system's store; NULL for that */
    int64_t timeout_ms; /* for one whole exchange: name, connection, TLS, request, answer */
    const char *user_agent;
    bool allow_http_loopback; /* plain http too, to this machine only and never through a proxy */
};

/*
 * The transport over libcurl: https only, TLS 1.2 and newer, the system's trust store unless cacert is given,
 * proxies as the environment says. config is borrowed for the transport's life. Safe for several threads at
 * once.
 */
enum keystay_status http_curl_new(
    const struct http_curl_config *config, struct http_transport **ret_transport, struct keystay_error *err);

/*
 * Has libcurl wipe every block that it frees. For programs only, before anything else touches libcurl: false
 * when it is too late.
 */
bool http_curl_use_wiping_memory(void);

#endif
