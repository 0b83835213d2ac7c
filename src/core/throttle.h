/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_THROTTLE_H
#define CORE_THROTTLE_H

/*
 * The memory of a server's Retry-After: until when a client must leave its token endpoint alone. It is kept
 * for a whole client, not for one scope: Entra throttles tenants and apps.
 */

#include <pthread.h>
#include <stdbool.h>

#include "http/http.h"

/* A server that asks for more is left alone so long; then one request finds out how it is. */
enum { THROTTLE_LONGEST_S = 3600 };

/* Safe for several threads at once. */
struct throttle {
    pthread_mutex_t lock;
    int64_t until_s; /* 0: nothing was asked for */
};

void throttle_init(struct throttle *throttle);
void throttle_clear(struct throttle *throttle);

/* Until when to wait, or 0. A moment that is further away than was ever noted means that the clock was set
 * back: it is forgotten. */
int64_t throttle_until_s(struct throttle *throttle, int64_t now_s);

/* The later moment counts. */
void throttle_note(struct throttle *throttle, int64_t until_s);

/* What an answer asks for; false when that is nothing. Its Date says what the server's clock showed. */
bool throttle_read(const struct http_response *response, int64_t now_s, int64_t *ret_until_s);

#endif
