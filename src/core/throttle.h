/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_THROTTLE_H
#define CORE_THROTTLE_H

/*
 * The memory of a server's Retry-After: until when a client must leave its token endpoint alone. It is kept
 * for a whole client, not for one scope: Entra throttles tenants and apps.
 */

#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"
#include "http/http.h"

/* A server that asks for more is left alone so long; then one request finds out how it is. */
enum { THROTTLE_LONGEST_S = 3600 };

/* Safe for several threads at once. */
struct throttle {
    pthread_mutex_t lock;
    int64_t until_s; /* by the clock that nobody sets: less clock_lead_s; INT64_MIN: nothing was asked for */
};

void throttle_init(struct throttle *throttle);
void throttle_clear(struct throttle *throttle);

/* Until when to wait, as the wall clock has it now, or 0. Setting that clock does not make it longer. */
int64_t throttle_until_s(struct throttle *throttle, struct clock_moment now);

/* A moment of the wall clock, and what that one's lead was. The later one counts. */
void throttle_note(struct throttle *throttle, int64_t until_s, int64_t lead_s);

/* What an answer asks for; false when that is nothing. Its Date says what the server's clock showed. */
bool throttle_read(const struct http_response *response, int64_t now_s, int64_t *ret_until_s);

#endif
