/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTPD_HTTPD_H
#define HTTPD_HTTPD_H

/*
 * HTTP as the agent speaks it: libmicrohttpd behind a seam that knows who is calling, and for how long a
 * caller may take. Nothing here knows what the requests are about.
 *
 * A connection has a moment by which it must have come on: a whole request after it was accepted or after the
 * last answer, the answer's being taken after it was given. Whoever is later is cut off; libmicrohttpd's own
 * timeout starts anew with each byte.
 */

#include "base/buf.h"
#include "base/log.h"
#include "base/secret.h"
#include "peer/peer.h"

enum {
    HTTPD_BODY_MAX = 4096,               /* bytes of a request's body: a PIN is the largest */
    HTTPD_CONNECTION_MEMORY = 48 * 1024, /* request line and headers, and the headers of the answer */
    HTTPD_ARGUMENTS_MAX = 32,
};

struct httpd;
struct request; /* one request, until it has been answered */

struct httpd_config {
    /* Called in libmicrohttpd's threads, so it does not wait: it calls request_answer, or request_wait and
     * leaves the request to who will. */
    void (*handle)(void *context, struct request *request);
    /* Whether there is anything here for that caller; those for whom there is not share one user's
     * connections. */
    bool (*knows)(void *context, const struct peer *peer);
    /* A connection was not let in, and why. */
    void (*note_refused)(void *context, const struct keystay_error *why);
    void *context;
    const struct keystay_log *log;
    unsigned int connections_max;      /* of one listener */
    unsigned int connections_max_user; /* of one user, over all listeners */
    unsigned int connections_max_all;  /* about so many, over all listeners */
    unsigned int threads;              /* that serve one listener */
    int64_t receive_ms;                /* for a whole request to arrive, and for an answer to be taken */
};

/* *ret_httpd is owned. config's log and context are borrowed for its life. */
enum keystay_status httpd_new(
    const struct httpd_config *config, struct httpd **ret_httpd, struct keystay_error *err);

/* Serves a listening socket from now on; fd is taken, also on failure. */
enum keystay_status httpd_serve(struct httpd *httpd, int fd, enum peer_kind kind, struct keystay_error *err);

/* Cuts off whoever is late. To be called about once a second. It fails when no more callers come, for good.
 */
enum keystay_status httpd_tick(struct httpd *httpd, int64_t now_ms, struct keystay_error *err);

/* Connections there are now. */
size_t httpd_count(struct httpd *httpd);

/*
 * What is asked from now on is answered with 503; what is in progress goes on. (libmicrohttpd's own way to
 * stop listening, MHD_quiesce_daemon, ends the process now and then with several threads: seen with 0.9.75.)
 */
void httpd_close_doors(struct httpd *httpd);

/* Waits until the answers in progress are taken. */
void httpd_drain(struct httpd *httpd, int64_t deadline_ms);

/* Every request that waits must have been answered. */
void httpd_freep(struct httpd **httpd);

/* Of a request; borrowed until it is answered. */
const struct peer *request_peer(const struct request *request);
const char *request_method(const struct request *request);
const char *request_path(const struct request *request);
struct slice request_body(const struct request *request);

/* Has request_peer know the caller's unit, where it can be known: looked for once a connection. In the thread
 * that handles the request. */
void request_find_unit(struct request *request);

/*
 * The value of an argument of the query, or of a header (any case): NULL in *ret_value when there is none,
 * or an empty one.
 * KEYSTAY_E_USAGE when it is there twice, or is no clean text.
 */
enum keystay_status request_argument(
    const struct request *request, const char *name, const char **ret_value, struct keystay_error *err);
enum keystay_status request_header(
    const struct request *request, const char *name, const char **ret_value, struct keystay_error *err);

/* The name of the first header, or argument, that pick says yes to; NULL when there is none. */
typedef bool (*name_pick)(const char *name);
const char *request_find_header(const struct request *request, name_pick pick);
const char *request_find_argument(const struct request *request, name_pick pick);

struct answer {
    unsigned int status;
    const char *type;          /* of the body */
    struct secret *body;       /* moved from; NULL: none */
    const char *authorization; /* a header of that name; NULL: none */
    const char *allow;         /* likewise */
    unsigned int retry_after_s;
    bool ends_connection; /* nothing more is heard from this caller */
};

/* An answer that can be given any number of times. Owned; NULL when memory is out. */
struct page;
struct page *page_new(const struct answer *answer);
struct page *page_share(struct page *page);
void page_freep(struct page **page);

/* Answers; the request is gone by then. From any thread if it waits, else in the one that handles it. */
void request_answer(struct request *request, const struct answer *answer);
void request_answer_page(struct request *request, struct page *page);

/* Something static that is kept with it; NULL at first. */
void request_set_note(struct request *request, const void *note);
const void *request_note(const struct request *request);

/* It will be answered later. To be called before anybody else learns of the request. */
void request_wait(struct request *request);

#endif
