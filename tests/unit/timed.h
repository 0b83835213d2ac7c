/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_TIMED_H
#define UNIT_TIMED_H

/* A client whose clock the test sets, between a key in memory and a server that answers what the test has
 * written down. */

#include "core/client.h"
#include "rsa.h"
#include "scratch.h"

enum { TIMED_START_S = CERT_NOW_S, TIMED_LIFE_S = 3600, TIMED_ANSWERS_MAX = 16 };

/* Time passes where the client sleeps, and where a test says so. */
extern int64_t timed_now_s, timed_now_ms, timed_slept_ms;

/* Somebody sets the clock. */
void timed_set_clock(int64_t by_s);

/* What the server answers to a request; a status below 0: there is no connection. */
struct timed_answer {
    int http_status;  /* 0: 200 */
    const char *body; /* NULL: a token of its own */
    const char *retry_after, *date, *request_id;
};

struct timed_server {
    struct http_transport base; /* first: the seam casts */
    struct timed_answer answers[TIMED_ANSWERS_MAX];
    int n_posts;
    char last_form[8192];
    int64_t last_timeout_ms;
};

struct timed {
    struct timed_server server;
    struct keystay_profile *profile;
    struct keystay_client *client;
    struct soft_signer *signer;
    struct ear ear;
};

/* Its profile says nothing yet. */
void timed_init_empty(struct timed *timed);
void timed_set(struct timed *timed, const char *setting, const char *value);
void timed_start(struct timed *timed);

/* For Graph's scope, started; setting may be NULL. */
void timed_init(struct timed *timed, const char *setting, const char *value);
void timed_clear(struct timed *timed);

/* What a call gives, as a text: the token's value ("token-1" is in the first answer), or the status' name. */
const char *timed_ask_for(struct timed *timed, const struct keystay_request *request);
const char *timed_ask(struct timed *timed);

#endif
