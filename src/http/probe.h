/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_PROBE_H
#define HTTP_PROBE_H

/*
 * The way to a server, looked at step by step, for a person who wants to know where it ends. What is asked is
 * a HEAD request that says nothing of anybody; what is answered does not matter, only that there is an
 * answer.
 */

#include "http/http.h"

enum {
    PROBE_TEXT_SIZE = 256,
    PROBE_CERTIFICATE_MAX = 64 * 1024, /* bytes of PEM */
    PROBE_SOCKETS_MAX = 8,
};

/* How far it went. */
enum probe_stage {
    PROBE_NOWHERE,   /* the name is not known */
    PROBE_NAMED,     /* it has an address, where nobody answers */
    PROBE_CONNECTED, /* to the server, through the proxy where there is one; TLS failed */
    PROBE_SECURE,    /* TLS is up, or not wanted; no answer to the request */
    PROBE_ANSWERED,
};

enum probe_proxy {
    PROBE_PROXY_NONE,
    PROBE_PROXY_UNKNOWN, /* one is named; whether it was used is not known */
    PROBE_PROXY_USED,
    PROBE_PROXY_PASSED_BY, /* one is named, but not for this server */
};

/* Texts are safe to print, and "" when they are not known. */
struct probe {
    enum probe_stage stage;
    bool is_plain; /* http */
    char host[PROBE_TEXT_SIZE];
    char address[64]; /* of the server, or of the proxy */
    long port;
    enum probe_proxy proxy;
    const char *proxy_variable;        /* static: "HTTPS_PROXY"; NULL: none is named */
    char proxy_url[PROBE_TEXT_SIZE];   /* without name and password */
    char no_proxy[PROBE_TEXT_SIZE];    /* NO_PROXY */
    struct buf certificate;            /* PEM, the server's own; empty when it showed none */
    char date[HTTP_HEADER_VALUE_SIZE]; /* the Date of the answer */
    int sockets[PROBE_SOCKETS_MAX];    /* the last ones that libcurl opened; it closes them */
    size_t n_sockets;
};

void probe_clear(struct probe *probe);

/*
 * Goes the way that http_post goes, with the same settings: transport is one of http_curl_new. probe is
 * filled as far as it went, also on failure; the caller clears it. When the server's certificate is not
 * trusted it is read over a second connection, which carries nothing else, to show whose it is. Errors as
 * http_post has them.
 */
enum keystay_status http_curl_probe(
    struct http_transport *transport, const char *url, struct probe *probe, struct keystay_error *err);

#endif
