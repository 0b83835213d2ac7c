/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CLIENT_H
#define CORE_CLIENT_H

/* The inside of a client, for the files that make tokens of it: acquire.c and exchange.c. */

#include <pthread.h>
#include <stdatomic.h>

#include "core/cache.h"
#include "core/cache_disk.h"
#include "core/flight.h"
#include "core/profile.h"
#include "core/throttle.h"
#include "http/http.h"
#include "keystay/client.h"
#include "oauth/provider.h"

/* Time, and how it passes: tests bring their own. */
struct client_clock {
    int64_t (*now_s)(void);  /* Unix seconds */
    int64_t (*now_ms)(void); /* never steps back */
    void (*sleep_ms)(int64_t ms);
    int64_t (*lead_s)(void); /* of the first one: clock_lead_s */
};

extern const struct client_clock client_system_clock;

/* An assertion that lives and may be used for another scope. */
struct held_assertion {
    pthread_mutex_t lock;        /* over all below; held while one is signed: nobody else need sign then */
    struct keystay_token *token; /* held; NULL: none */
    char audience[URL_MAX];
};

/*
 * The plan once the server's metadata was read. That depends on the profile alone: what a request overrides,
 * scope and resource, has no part in it where there is metadata to read.
 */
struct discovered_plan {
    pthread_mutex_t lock; /* held while the server is asked: nobody else need ask then */
    struct provider_plan plan;
};

struct keystay_client {
    const struct keystay_profile *profile; /* borrowed */
    const struct keystay_log *log;         /* borrowed */
    struct http_transport *transport;      /* owned */
    struct client_clock clock;
    struct provider_plan plan;
    struct cache_key key;       /* what the keys of all its tokens on the disk begin with */
    int64_t min_valid_s;        /* as the profile has it */
    struct cache *cache;        /* owned; NULL: nothing is kept */
    struct cache_disk *disk;    /* owned; NULL: none */
    struct flights *flights;    /* owned */
    struct throttle throttle;   /* of its token endpoint */
    struct held_assertion held; /* for its audience */
    struct discovered_plan discovered;
    _Atomic int64_t warned_ms;      /* that a token is served because there is no new one; 0: not yet */
    _Atomic int64_t clock_offset_s; /* the server's clock less ours, once it was found to be wrong */
};

void client_freep(struct keystay_client **client);

/* By its clock. */
struct clock_moment client_moment(const struct keystay_client *client);

/* As keystay_client_new, over a transport of the caller's (taken), and with the clock given: for tests. */
enum keystay_status client_new_with(
    const struct keystay_profile *profile, const struct keystay_log *log, struct http_transport *transport,
    const struct client_clock *clock, struct keystay_client **ret_client, struct keystay_error *err);

/* Has it keep tokens on a tmpfs too. disk is taken; NULL is fine. Before anything is acquired. */
void client_use_disk(struct keystay_client *client, struct cache_disk *disk);

/*
 * Has all exchanges go through what wrap makes of the transport (taken, also on failure; then the client is
 * only good for being freed). Before anything is acquired.
 */
typedef enum keystay_status (*client_wrapper)(
    struct http_transport *inner, void *context, struct http_transport **ret_transport,
    struct keystay_error *err);
enum keystay_status client_wrap_transport(
    struct keystay_client *client, client_wrapper wrap, void *context, struct keystay_error *err);

/* Whether the profile says what an access token is for; an assertion alone does not need that.
 * KEYSTAY_E_CONFIG. */
enum keystay_status client_check_target(const struct keystay_client *client, struct keystay_error *err);

/* Forgets the tokens in memory, and the assertion that another token could be got with. */
void client_forget(struct keystay_client *client);
void client_drop_assertion(struct keystay_client *client);

/* Somebody has acted on what went wrong: the next call tries. */
void client_forgive(struct keystay_client *client);

size_t client_count_tokens(const struct keystay_client *client);

/* Shows each token in memory, ended or not, as cache_walk does; what it is for is the scope, or else the
 * resource. */
typedef void (*token_viewer)(void *context, struct slice target, int64_t expires_at_s);
void client_walk_tokens(const struct keystay_client *client, token_viewer view, void *context);

/*
 * Shows what acquire_renew should be called for, up to CLIENT_DUE_MAX: tokens in memory that are due, live
 * and have been handed out. One is not shown again at once, and none while the server wants to be left alone.
 * view may take its time. Texts are borrowed; NULL is absent, both: as the profile has it.
 */
enum { CLIENT_DUE_MAX = 16 };
typedef void (*due_viewer)(void *context, const char *scope, const char *resource);
void client_take_due(struct keystay_client *client, size_t max, due_viewer view, void *context);

/* The endpoint that tokens are asked from, "" until it was discovered. Borrowed until the client is freed. */
const char *client_token_endpoint(const struct keystay_client *client);

/*
 * As keystay_client_assertion, for one that is to live lifetime_s where the profile does not say how long;
 * but no longer than the provider takes it. 0: the same.
 */
enum keystay_status client_assertion(
    struct keystay_client *client, struct keystay_signer *signer, int64_t lifetime_s,
    struct keystay_token **ret_assertion, struct keystay_error *err);

/* What the profile says to the provider. */
struct provider_request client_request(const struct keystay_client *client);

/* The plan's second step, where it needs one; the server is asked once in the client's life. timeout_ms as
 * provider_discover has it, and so *ret_response. */
enum keystay_status client_complete_plan(
    struct keystay_client *client, const struct provider_request *request, int64_t timeout_ms,
    struct http_response *ret_response, struct provider_plan *plan, struct keystay_error *err);

/* One assertion, signed now with whichever key works, for a whole plan of this client's. */
enum keystay_status client_sign(
    struct keystay_client *client, const struct provider_request *request, const struct provider_plan *plan,
    struct keystay_signer *signer, struct keystay_token **ret_assertion, struct keystay_error *err);

#endif
