/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_FLIGHT_H
#define CORE_FLIGHT_H

/*
 * Single flight: of any number of threads that want the same token at once, one does the work and all get
 * its outcome, be it a token or an error. An error stays for a moment: whoever comes right behind gets it
 * too, instead of bothering token and server with what has just failed.
 */

#include "core/cache_key.h"
#include "oauth/access_token.h"

struct flights;

enum { FLIGHT_ERROR_MS = 1000 }; /* for how long an error stays */

/* now_ms is a clock that never steps back. Owned. */
enum keystay_status flights_new(
    int64_t (*now_ms)(void), struct flights **ret_flights, struct keystay_error *err);
/* Nobody may be inside any more. */
void flights_freep(struct flights **flights);

/* No error stays: somebody has acted on what went wrong. */
void flights_forgive(struct flights *flights);

typedef enum keystay_status (*flight_work)(
    void *context, struct keystay_token **ret_token, struct keystay_error *err);

/*
 * Does the work, or waits for who is doing it for the same key. *ret_token is owned, the same token for all.
 * There is no limit to the wait but that of the work itself.
 */
enum keystay_status flight_run(
    struct flights *flights, const struct cache_key *key, flight_work work, void *context,
    struct keystay_token **ret_token, struct keystay_error *err);

#endif
