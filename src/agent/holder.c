/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/holder.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/opening.h"
#include "base/clock.h"
#include "base/error.h"
#include "core/acquire.h"
#include "oauth/access_token.h"

enum {
    TRY_AGAIN_MS = 1000, /* after the first failure in a row; doubles */
    TRY_AGAIN_MAX_MS = 30000,
    DAY_MS = 24 * 60 * 60 * 1000,
    RENEWAL_S = 30 * 24 * 60 * 60, /* before its end a certificate should have a successor */
};

static const char without_pin[] = "the agent has no PIN for it";

struct holder {
    atomic_uint n_users;
    char *name; /* owned, as all below but log */
    struct keystay_profile *profile;
    const struct keystay_log *log;
    struct keystay_client *client;
    struct meter meter;
    struct pace pace;
    bool asks_a_person;
    bool opens_alone;
    bool asks_in_a_window;
    pthread_mutex_t lock;      /* over what follows; never held while something is opened or signed */
    pthread_cond_t has_opened; /* or has failed to */
    bool is_opening;
    bool is_opening_with_pin; /* that a person has given, or is asked for */
    unsigned int epoch;       /* what was begun in an earlier one is not wanted any more */
    struct opened *opened;    /* NULL: nothing is open */
    enum holder_state state;
    struct keystay_error error; /* of HOLDER_PIN_WRONG and HOLDER_FAILING */
    bool has_looked;
    unsigned int pin_tries;
    struct holder_failure last_failure;
    int64_t try_after_ms; /* of HOLDER_FAILING */
    int64_t pause_ms;
    int64_t opened_at_ms;
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
    (void)pthread_cond_init(&holder->has_opened, NULL);
    holder->opens_alone = opened_needs_nobody(profile);
    pace_init(&holder->pace, holder->opens_alone);
    holder->profile = profile;
    holder->log = log;
    holder->name = strdup(name);
    if (holder->name == NULL) {
        return err_no_memory(err);
    }
    meter_init(&holder->meter, holder->name, log);
    holder->asks_a_person = opened_asks_a_person(profile);
    holder->asks_in_a_window = opened_asks_in_a_window(profile);
    holder->state = holder->asks_a_person ? HOLDER_LOCKED : HOLDER_IDLE;
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
        opened_freep(&holder->opened);
        client_freep(&holder->client);
        keystay_profile_free(holder->profile);
        free(holder->name);
        pace_clear(&holder->pace);
        (void)pthread_cond_destroy(&holder->has_opened);
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

/* Under the lock. */
static void note_failure(struct holder *holder, enum keystay_status status, const struct keystay_error *error)
{
    if (status == KEYSTAY_E_INTERRUPTED) {
        holder->state = HOLDER_LOCKED; /* who cancels the question wants no other one */
        return;
    }
    holder->error = *error;
    if (err_is_about_pin(status)) {
        holder->state = HOLDER_PIN_WRONG;
        return;
    }
    holder->state = HOLDER_FAILING;
    holder->pause_ms = holder->pause_ms == 0 ? TRY_AGAIN_MS : holder->pause_ms * 2;
    holder->pause_ms = holder->pause_ms > TRY_AGAIN_MAX_MS ? TRY_AGAIN_MAX_MS : holder->pause_ms;
    holder->try_after_ms = clock_monotonic_ms() + holder->pause_ms;
}

/* Under the lock: what became of opening it. */
static void note_opened(
    struct holder *holder, unsigned int epoch, enum keystay_status status, struct opened **opened,
    const struct keystay_error *error)
{
    const bool is_wanted = holder->epoch == epoch;

    holder->is_opening = false;
    if (status == KEYSTAY_OK && is_wanted) {
        holder->opened = take_ptr(opened);
        holder->state = HOLDER_READY;
        holder->has_looked = false;
        holder->pause_ms = 0;
        holder->opened_at_ms = clock_boot_ms();
    } else if (
        status != KEYSTAY_OK && (is_wanted || (err_is_about_pin(status) && holder->state != HOLDER_LOCKED))) {
        note_failure(
            holder, status, error); /* a PIN that was refused is not sent again, whatever else is wanted */
    }
    (void)pthread_cond_broadcast(&holder->has_opened);
}

/* What of the opening's may be changed meanwhile. */
struct attempt {
    struct holder *holder;
    unsigned int epoch;
};

/* An opening's is_wanted. */
static bool is_wanted(void *context)
{
    const struct attempt *attempt = context;

    (void)pthread_mutex_lock(&attempt->holder->lock);
    const bool is_wanted = attempt->holder->epoch == attempt->epoch;
    (void)pthread_mutex_unlock(&attempt->holder->lock);
    return is_wanted;
}

/* Under the lock. */
static void note_tries(struct holder *holder, const struct opening *opening)
{
    holder->has_looked = holder->has_looked || opening->has_looked;
    holder->pin_tries = opening->has_looked ? opening->pin_tries : holder->pin_tries;
}

/*
 * Under the lock, which is let go of meanwhile. KEYSTAY_OK, and nothing is open: somebody has locked it, or
 * wants it opened anew, before it was.
 */
static enum keystay_status open_signer(
    struct holder *holder, const struct opened_gift *gift, struct keystay_error *err)
{
    struct opened *opened = NULL;
    struct keystay_error error = { 0 };
    struct attempt attempt = { holder, holder->epoch };
    struct opening opening = { .profile = holder->profile,
                               .meter = &holder->meter,
                               .gift = gift,
                               .is_wanted = is_wanted,
                               .context = &attempt };

    holder->is_opening = true;
    holder->is_opening_with_pin = gift->pin != NULL || holder->asks_in_a_window;
    (void)pthread_mutex_unlock(&holder->lock);
    enum keystay_status status = opening_run(&opening, &opened, &error);
    (void)pthread_mutex_lock(&holder->lock);
    note_tries(holder, &opening);
    note_opened(holder, attempt.epoch, status, &opened, &error);
    (void)pthread_mutex_unlock(&holder->lock);
    opened_freep(&opened); /* what is not wanted; it may take its time */
    if (status != KEYSTAY_OK) {
        log_warning(holder->log, "profile %s: %s", holder->name, error.message);
        if (err != NULL) {
            *err = error;
        }
    }
    (void)pthread_mutex_lock(&holder->lock);
    return status;
}

static void wait_for_opening(struct holder *holder)
{
    while (holder->is_opening) {
        (void)pthread_cond_wait(&holder->has_opened, &holder->lock);
    }
}

/* To a caller what was cancelled is as final: "interrupted" is no answer that an SDK knows. */
static enum keystay_status say_locked(const struct holder *holder, const char *why, struct keystay_error *err)
{
    (void)err_set(err, KEYSTAY_E_PIN_SOURCE, "profile %s is locked: %s", holder->name, why);
    return err_hint(err, KEYSTAY_E_PIN_SOURCE, "keystay agent unlock %s", holder->name);
}

static enum keystay_status say_failure(const struct holder *holder, struct keystay_error *err)
{
    if (err != NULL) {
        *err = holder->error;
    }
    return holder->error.status;
}

/* Under the lock. */
static enum keystay_status may_open(const struct holder *holder, struct keystay_error *err)
{
    switch (holder->state) {
    case HOLDER_LOCKED:
        return say_locked(holder, without_pin, err);
    case HOLDER_PIN_WRONG:
        return say_failure(holder, err);
    case HOLDER_FAILING:
        if (clock_monotonic_ms() < holder->try_after_ms) {
            return say_failure(holder, err);
        }
        break;
    case HOLDER_IDLE:
    case HOLDER_READY:
        break;
    }
    return KEYSTAY_OK;
}

/* Under the lock: opened is there afterwards. */
static enum keystay_status be_open(struct holder *holder, struct keystay_error *err)
{
    static const struct opened_gift nothing;

    wait_for_opening(holder);
    while (holder->opened == NULL) {
        TRY(may_open(holder, err));
        TRY(open_signer(holder, &nothing, err));
        wait_for_opening(holder);
    }
    return KEYSTAY_OK;
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
    struct holder *holder = use->holder;
    enum keystay_status status = KEYSTAY_OK;

    if (use->opened == NULL) {
        (void)pthread_mutex_lock(&holder->lock);
        status = be_open(holder, err);
        if (status == KEYSTAY_OK) {
            use->opened = opened_share(holder->opened);
        }
        (void)pthread_mutex_unlock(&holder->lock);
    }
    if (status == KEYSTAY_OK) {
        *ret_signer = use->opened->signer;
    }
    return status;
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

/*
 * What a signer that is open cannot put right by itself: a PIN that was refused, which nothing may send
 * again; and keys and certificates that are not those of before.
 */
static bool is_for_a_new_signer(enum keystay_status status, const struct opened *opened)
{
    switch (status) {
    case KEYSTAY_E_CERTIFICATE:
    case KEYSTAY_E_KEY_MISMATCH:
    case KEYSTAY_E_KEY_NOT_FOUND:
        return opened != NULL && !opened->has_pin;
    case KEYSTAY_E_INTERRUPTED: /* at the question for the PIN of one signature */
        return true;
    default:
        return err_is_about_pin(status);
    }
}

static void give_up_signer(
    struct holder *holder, const struct use *use, enum keystay_status status,
    const struct keystay_error *error)
{
    (void)pthread_mutex_lock(&holder->lock);
    if (use->opened != NULL && holder->opened == use->opened) {
        opened_freep(&holder->opened);
        note_failure(holder, status, error);
    }
    (void)pthread_mutex_unlock(&holder->lock);
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
        if (is_for_a_new_signer(status, use.opened)) {
            give_up_signer(holder, &use, status, &error);
        }
        if (status == KEYSTAY_E_INTERRUPTED) {
            status = say_locked(holder, "the question for its PIN was cancelled", &error);
        }
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

/* Under the lock. */
static bool signs_alone(const struct holder *holder, int64_t now_ms)
{
    switch (holder->state) {
    case HOLDER_READY:
        return true;
    case HOLDER_IDLE:
        return holder->opens_alone;
    case HOLDER_FAILING:
        return holder->opens_alone && now_ms >= holder->try_after_ms;
    case HOLDER_LOCKED:
    case HOLDER_PIN_WRONG:
        break;
    }
    return false;
}

bool holder_signs_alone(struct holder *holder, int64_t now_ms)
{
    (void)pthread_mutex_lock(&holder->lock);
    const bool is_so = !holder->is_opening && signs_alone(holder, now_ms);
    (void)pthread_mutex_unlock(&holder->lock);
    return is_so;
}

void holder_take_due(struct holder *holder, size_t max, due_viewer view, void *context)
{
    client_take_due(holder->client, max, view, context);
}

static enum keystay_status unlock(
    struct holder *holder, const struct secret *pin, bool is_final_try, struct keystay_error *err)
{
    const struct opened_gift gift = { pin->len == 0 ? NULL : pin, is_final_try };

    wait_for_opening(holder);
    if (holder->opened != NULL) {
        return KEYSTAY_OK; /* a try of the PIN is not spent on that */
    }
    if (pin->len == 0 && holder->asks_a_person) {
        return err_set(err, KEYSTAY_E_PIN_SOURCE, "profile %s: the PIN is empty", holder->name);
    }
    TRY(open_signer(holder, &gift, err));
    return holder->opened != NULL ? KEYSTAY_OK : say_locked(holder, without_pin, err);
}

enum keystay_status holder_unlock(
    struct holder *holder, struct secret *pin, bool is_final_try, struct keystay_error *err)
{
    (void)pthread_mutex_lock(&holder->lock);
    enum keystay_status status = unlock(holder, pin, is_final_try, err);
    (void)pthread_mutex_unlock(&holder->lock);
    secret_clear(pin);
    client_forgive(holder->client);
    pace_reset(&holder->pace);
    return status;
}

/* Under the lock. */
static void note_looked(struct holder *holder, enum keystay_status status, const struct keystay_error *error)
{
    holder->is_opening = false;
    if (status == KEYSTAY_E_PIN_LOCKED && holder->opened == NULL) {
        note_failure(holder, status, error);
    }
    (void)pthread_cond_broadcast(&holder->has_opened);
}

enum keystay_status holder_look_at_pin(
    struct holder *holder, unsigned int *ret_tries, struct keystay_error *err)
{
    struct opening opening = { .profile = holder->profile, .meter = &holder->meter };
    enum keystay_status status = KEYSTAY_OK;

    (void)pthread_mutex_lock(&holder->lock);
    wait_for_opening(holder);
    if (holder->opened == NULL) {
        holder->is_opening = true;
        holder->is_opening_with_pin = false;
        (void)pthread_mutex_unlock(&holder->lock);
        status = opening_look(&opening, err);
        (void)pthread_mutex_lock(&holder->lock);
        note_tries(holder, &opening);
        note_looked(holder, status, err);
    }
    (void)pthread_mutex_unlock(&holder->lock);
    *ret_tries = opening.pin_tries;
    return status;
}

static void lock(struct holder *holder, bool may_ask_again)
{
    CLEANUP(opened_freep) struct opened *opened = NULL;

    (void)pthread_mutex_lock(&holder->lock);
    opened = take_ptr(&holder->opened);
    const bool asks_again = may_ask_again && holder->asks_in_a_window &&
                            (holder->state == HOLDER_READY || holder->state == HOLDER_IDLE);
    holder->state = asks_again ? HOLDER_IDLE : HOLDER_LOCKED;
    holder->epoch++;
    (void)pthread_mutex_unlock(&holder->lock);
    client_drop_assertion(holder->client);
}

void holder_lock(struct holder *holder)
{
    lock(holder, false);
}

void holder_rest(struct holder *holder)
{
    lock(holder, true);
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
    CLEANUP(opened_freep) struct opened *opened = NULL;

    (void)pthread_mutex_lock(&holder->lock);
    const bool has_pin =
        holder->is_opening ? holder->is_opening_with_pin : holder->opened != NULL && holder->opened->has_pin;
    if (holder->state != HOLDER_LOCKED && !has_pin) {
        opened = take_ptr(&holder->opened);
        holder->state = holder->asks_a_person ? HOLDER_LOCKED : HOLDER_IDLE;
        holder->pause_ms = 0;
        holder->epoch++;
    }
    (void)pthread_mutex_unlock(&holder->lock);
    client_forgive(holder->client);
    pace_reset(&holder->pace);
}

bool holder_is_due(struct holder *holder, int64_t now_s)
{
    const int64_t ends_s = atomic_load(&holder->meter.certificate_ends_s);

    (void)pthread_mutex_lock(&holder->lock);
    const bool is_due = holder->opened != NULL && !holder->opened->has_pin &&
                        clock_boot_ms() - holder->opened_at_ms >= DAY_MS && ends_s - now_s < RENEWAL_S;
    (void)pthread_mutex_unlock(&holder->lock);
    return is_due;
}

const char *holder_state_name(enum holder_state state)
{
    static const char *const names[] = {
        [HOLDER_IDLE] = "idle",           [HOLDER_READY] = "ready",     [HOLDER_LOCKED] = "locked",
        [HOLDER_PIN_WRONG] = "pin wrong", [HOLDER_FAILING] = "failing",
    };

    return names[state];
}

void holder_get_status(struct holder *holder, struct holder_status *ret_status)
{
    *ret_status =
        (struct holder_status){ .asks_a_person = holder->asks_a_person,
                                .has_a_persons_pin = holder->asks_a_person || holder->asks_in_a_window,
                                .n_tokens = client_count_tokens(holder->client),
                                .certificate_ends_s = holder->meter.certificate_ends_s,
                                .n_slow_signatures = holder->meter.n_slow_signatures };
    (void)pthread_mutex_lock(&holder->lock);
    ret_status->state = holder->state;
    ret_status->last_failure = holder->last_failure;
    ret_status->has_looked = holder->has_looked;
    ret_status->pin_tries = holder->pin_tries;
    if (holder->state == HOLDER_PIN_WRONG || holder->state == HOLDER_FAILING) {
        ret_status->error = holder->error;
    }
    (void)pthread_mutex_unlock(&holder->lock);
}
