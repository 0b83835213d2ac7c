/* SPDX-License-Identifier: Apache-2.0 */
#include "core/flight.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/error.h"

struct flight {
    struct flight *next;
    struct cache_key key;   /* owned */
    unsigned int n_holders; /* threads that look at it, and one while it is in the list */
    bool has_landed;
    enum keystay_status status;
    struct keystay_token *token; /* held, on success */
    struct keystay_error error;  /* on failure */
    int64_t forget_at_ms;        /* of a failure */
};

struct flights {
    pthread_mutex_t lock; /* over the list and all that is in it */
    pthread_cond_t landed;
    struct flight *first; /* those under way, and errors that stay: a handful */
    int64_t (*now_ms)(void);
};

enum keystay_status flights_new(
    int64_t (*now_ms)(void), struct flights **ret_flights, struct keystay_error *err)
{
    struct flights *flights = calloc(1, sizeof(*flights));

    if (flights == NULL) {
        return err_no_memory(err);
    }
    (void)pthread_mutex_init(&flights->lock, NULL);
    (void)pthread_cond_init(&flights->landed, NULL);
    flights->now_ms = now_ms;
    *ret_flights = flights;
    return KEYSTAY_OK;
}

/* With the lock held. */
static void let_go(struct flight *flight)
{
    if (--flight->n_holders == 0) {
        cache_key_clear(&flight->key);
        token_freep(&flight->token);
        free(flight);
    }
}

static void unlink_at(struct flight **at)
{
    struct flight *flight = *at;

    *at = flight->next;
    let_go(flight);
}

void flights_freep(struct flights **flights)
{
    if (*flights != NULL) {
        while ((*flights)->first != NULL) {
            unlink_at(&(*flights)->first);
        }
        (void)pthread_cond_destroy(&(*flights)->landed);
        (void)pthread_mutex_destroy(&(*flights)->lock);
        free(*flights);
    }
    *flights = NULL;
}

void flights_forgive(struct flights *flights)
{
    (void)pthread_mutex_lock(&flights->lock);
    for (struct flight **at = &flights->first; *at != NULL;) {
        if ((*at)->has_landed) {
            unlink_at(at);
        } else {
            at = &(*at)->next;
        }
    }
    (void)pthread_mutex_unlock(&flights->lock);
}

/* The flight of a key, or NULL; errors that have stayed long enough are forgotten on the way. */
static struct flight *find(struct flights *flights, const struct cache_key *key)
{
    struct flight *found = NULL;

    for (struct flight **at = &flights->first; *at != NULL;) {
        if ((*at)->has_landed && flights->now_ms() >= (*at)->forget_at_ms) {
            unlink_at(at);
            continue;
        }
        if (cache_key_equal(&(*at)->key, key)) {
            found = *at;
        }
        at = &(*at)->next;
    }
    return found;
}

static enum keystay_status begin(
    struct flights *flights, const struct cache_key *key, struct flight **ret_flight,
    struct keystay_error *err)
{
    struct flight *flight = calloc(1, sizeof(*flight));

    if (flight == NULL || cache_key_make(key, NULL, 0, &flight->key, NULL) != KEYSTAY_OK) {
        free(flight);
        return err_no_memory(err);
    }
    flight->n_holders = 1;
    flight->next = flights->first;
    flights->first = flight;
    *ret_flight = flight;
    return KEYSTAY_OK;
}

/* A token is in the cache now, so its flight is over at once; an error stays. */
static void land(struct flights *flights, struct flight *flight)
{
    struct flight **at = &flights->first;

    flight->has_landed = true;
    flight->forget_at_ms = flights->now_ms() + FLIGHT_ERROR_MS;
    (void)pthread_cond_broadcast(&flights->landed);
    while (*at != flight) {
        at = &(*at)->next;
    }
    if (flight->status == KEYSTAY_OK) {
        unlink_at(at);
    }
}

/* With the lock held; it is given up during the work. */
static void fly(struct flights *flights, struct flight *flight, flight_work work, void *context)
{
    struct keystay_token *token = NULL;
    struct keystay_error error = { 0 };

    (void)pthread_mutex_unlock(&flights->lock);
    enum keystay_status status = work(context, &token, &error);
    (void)pthread_mutex_lock(&flights->lock);
    flight->status = status;
    flight->token = token;
    flight->error = error;
    land(flights, flight);
}

static enum keystay_status tell(
    const struct flight *flight, struct keystay_token **ret_token, struct keystay_error *err)
{
    if (flight->status == KEYSTAY_OK) {
        *ret_token = token_share(flight->token);
    } else if (err != NULL) {
        *err = flight->error;
    }
    return flight->status;
}

enum keystay_status flight_run(
    struct flights *flights, const struct cache_key *key, flight_work work, void *context,
    struct keystay_token **ret_token, struct keystay_error *err)
{
    enum keystay_status status = KEYSTAY_OK;

    (void)pthread_mutex_lock(&flights->lock);
    struct flight *flight = find(flights, key);
    bool is_first = flight == NULL;
    if (is_first) {
        status = begin(flights, key, &flight, err);
    }
    if (flight != NULL) {
        flight->n_holders++;
        if (is_first) {
            fly(flights, flight, work, context);
        }
        while (!flight->has_landed) {
            (void)pthread_cond_wait(&flights->landed, &flights->lock);
        }
        status = tell(flight, ret_token, err);
        let_go(flight);
    }
    (void)pthread_mutex_unlock(&flights->lock);
    return status;
}
