/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/holder.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "core/acquire.h"
#include "oauth/access_token.h"

struct holder {
    atomic_uint n_users;
    char *name; /* owned, as all below but log */
    struct keystay_profile *profile;
    const struct keystay_log *log;
    struct keystay_client *client;
    struct meter meter;
    struct pace pace;
    struct keeper keeper;
    pthread_mutex_t lock; /* over what follows */
    struct holder_failure last_failure;
};

enum keystay_status holder_new(
    const char *name, struct keystay_profile *profile, const struct keystay_log *log,
    struct holder **ret_holder, struct keystay_error *err)
{
    CLEANUP(holder_freep) struct holder *holder = calloc(1, sizeof(*holder));

    if (holder == NULL) {
        keystay_profile_free(profile);
        return err_no_memory(err);
    }
    atomic_init(&holder->n_users, 1);
    (void)pthread_mutex_init(&holder->lock, NULL);
    pace_init(&holder->pace, opened_needs_nobody(profile));
    holder->profile = profile;
    holder->log = log;
    holder->name = strdup(name);
    keeper_init(&holder->keeper, holder->name, profile, log, &holder->meter);
    if (holder->name == NULL) {
        return err_no_memory(err);
    }
    meter_init(&holder->meter, holder->name, log);
    TRY(keystay_client_new(profile, log, &holder->client, err));
    TRY(client_wrap_transport(holder->client, meter_transport, &holder->meter, err));
    *ret_holder = take_ptr(&holder);
    return KEYSTAY_OK;
}

struct holder *holder_share(struct holder *holder)
{
    (void)atomic_fetch_add(&holder->n_users, 1);
    return holder;
}

void holder_freep(struct holder **holder_at)
{
    struct holder *holder = take_ptr(holder_at);

    if (holder != NULL && atomic_fetch_sub(&holder->n_users, 1) == 1) {
        keeper_clear(&holder->keeper);
        client_freep(&holder->client);
        keystay_profile_free(holder->profile);
        free(holder->name);
        pace_clear(&holder->pace);
        (void)pthread_mutex_destroy(&holder->lock);
        free(holder);
    }
}

const char *holder_name(const struct holder *holder)
{
    return holder->name;
}

const struct keystay_profile *holder_profile(const struct holder *holder)
{
    return holder->profile;
}

const struct meter *holder_meter(const struct holder *holder)
{
    return &holder->meter;
}

struct pace *holder_pace(struct holder *holder)
{
    return &holder->pace;
}

/* One call's hold on the signer. */
struct use {
    struct holder *holder;
    struct opened *opened;
};

static void use_clear(struct use *use)
{
    opened_freep(&use->opened);
}

/* A signer_source's get. */
static enum keystay_status get_signer(
    void *context, struct keystay_signer **ret_signer, struct keystay_error *err)
{
    struct use *use = context;

    if (use->opened == NULL) {
        TRY(keeper_take(&use->holder->keeper, &use->opened, err));
    }
    *ret_signer = use->opened->signer;
    return KEYSTAY_OK;
}

static enum keystay_status get_assertion(
    struct holder *holder, struct use *use, const struct wish *wish, struct keystay_token **ret_token,
    struct keystay_error *err)
{
    struct keystay_signer *signer = NULL;

    TRY(get_signer(use, &signer, err));
    return client_assertion(holder->client, signer, wish->lifetime_s, ret_token, err);
}

static struct keystay_request request_of(const struct wish *wish)
{
    return (struct keystay_request){ .scope = wish->scope,
                                     .resource = wish->resource,
                                     .claims = wish->claims,
                                     .min_valid_s = wish->min_valid_s };
}

static void note_last(struct holder *holder, enum keystay_status status, const struct keystay_error *error)
{
    (void)pthread_mutex_lock(&holder->lock);
    holder->last_failure.at_s = clock_now_s();
    holder->last_failure.status = status;
    (void)snprintf(holder->last_failure.message, sizeof(holder->last_failure.message), "%s", error->message);
    (void)pthread_mutex_unlock(&holder->lock);
}

enum keystay_status holder_get(
    struct holder *holder, const struct wish *wish, struct keystay_token **ret_token,
    struct keystay_error *err)
{
    CLEANUP(use_clear) struct use use = { .holder = holder };
    const struct signer_source source = { get_signer, &use };
    const struct keystay_request request = request_of(wish);
    const int64_t began_s = clock_now_s();
    struct keystay_error error = { 0 };
    enum keystay_status status = wish->is_assertion ? get_assertion(holder, &use, wish, ret_token, &error)
                                 : wish->is_renewal
                                     ? acquire_renew(holder->client, &source, &request, ret_token, &error)
                                     : acquire_token(holder->client, &source, &request, ret_token, &error);

    if (status != KEYSTAY_OK) {
        status = keeper_note_failure(&holder->keeper, use.opened, status, &error);
        note_last(holder, status, &error);
        *err = error;
    } else if (!wish->is_assertion && (*ret_token)->obtained_at_s >= began_s) {
        pace_reset(&holder->pace); /* key, network and server are well: it is a new one */
    }
    return status;
}

void holder_walk_tokens(struct holder *holder, token_viewer view, void *context)
{
    client_walk_tokens(holder->client, view, context);
}

struct keystay_token *holder_look(struct holder *holder, const struct wish *wish)
{
    const struct keystay_request request = request_of(wish);

    return wish->is_assertion || wish->is_renewal ? NULL : acquire_held(holder->client, &request);
}

void holder_note_use(struct holder *holder, const struct wish *wish)
{
    const struct keystay_request request = request_of(wish);

    if (!wish->is_assertion) {
        acquire_note_use(holder->client, &request);
    }
}

bool holder_signs_alone(struct holder *holder, int64_t now_ms)
{
    return keeper_signs_alone(&holder->keeper, now_ms);
}

void holder_take_due(struct holder *holder, size_t max, due_viewer view, void *context)
{
    client_take_due(holder->client, max, view, context);
}

enum keystay_status holder_unlock(
    struct holder *holder, struct secret *pin, bool is_final_try, struct keystay_error *err)
{
    enum keystay_status status = keeper_unlock(&holder->keeper, pin, is_final_try, err);

    secret_clear(pin);
    client_forgive(holder->client);
    pace_reset(&holder->pace);
    return status;
}

enum keystay_status holder_look_at_pin(
    struct holder *holder, unsigned int *ret_tries, struct keystay_error *err)
{
    return keeper_look_at_pin(&holder->keeper, ret_tries, err);
}

void holder_lock(struct holder *holder)
{
    keeper_lock(&holder->keeper, false);
    client_drop_assertion(holder->client);
}

void holder_rest(struct holder *holder)
{
    keeper_lock(&holder->keeper, true);
    client_drop_assertion(holder->client);
}

bool holder_has_signer(const struct holder *holder)
{
    return atomic_load(&holder->meter.n_signers) > 0;
}

void holder_forget(struct holder *holder)
{
    client_forget(holder->client);
}

void holder_reopen(struct holder *holder)
{
    keeper_reopen(&holder->keeper);
    client_forgive(holder->client);
    pace_reset(&holder->pace);
}

bool holder_is_due(struct holder *holder, int64_t now_s)
{
    return keeper_is_due(&holder->keeper, now_s);
}

void holder_get_status(struct holder *holder, struct holder_status *ret_status)
{
    *ret_status = (struct holder_status){ .n_tokens = client_count_tokens(holder->client),
                                          .certificate_ends_s = holder->meter.certificate_ends_s,
                                          .n_slow_signatures = holder->meter.n_slow_signatures };
    keeper_get_status(&holder->keeper, &ret_status->key);
    (void)pthread_mutex_lock(&holder->lock);
    ret_status->last_failure = holder->last_failure;
    (void)pthread_mutex_unlock(&holder->lock);
}
