/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/keeper.h"

#include "agent/journal.h"
#include "agent/opening.h"
#include "base/clock.h"
#include "base/error.h"

enum {
    TRY_AGAIN_MS = 1000, /* after the first failure in a row; doubles */
    TRY_AGAIN_MAX_MS = 30000,
    DAY_MS = 24 * 60 * 60 * 1000,
    RENEWAL_S = 30 * 24 * 60 * 60, /* before its end a certificate should have a successor */
};

static const char without_pin[] = "the agent has no PIN for it";

void keeper_init(
    struct keeper *keeper, const char *name, const struct keystay_profile *profile,
    const struct keystay_log *log, struct meter *meter)
{
    *keeper = (struct keeper){
        .name = name,
        .profile = profile,
        .log = log,
        .meter = meter,
        .asks_a_person = opened_asks_a_person(profile),
        .opens_alone = opened_needs_nobody(profile),
        .asks_in_a_window = opened_asks_in_a_window(profile),
    };
    keeper->state = keeper->asks_a_person ? KEY_LOCKED : KEY_IDLE;
    keeper->since_s = clock_now_s();
    (void)pthread_mutex_init(&keeper->lock, NULL);
    (void)pthread_cond_init(&keeper->has_opened, NULL);
}

void keeper_clear(struct keeper *keeper)
{
    opened_freep(&keeper->opened);
    (void)pthread_cond_destroy(&keeper->has_opened);
    (void)pthread_mutex_destroy(&keeper->lock);
}

/* Under the lock. */
static void set_state(struct keeper *keeper, enum key_state state)
{
    if (keeper->state != state) {
        keeper->state = state;
        keeper->since_s = clock_now_s();
    }
}

/* Under the lock. */
static void note_failure(struct keeper *keeper, enum keystay_status status, const struct keystay_error *error)
{
    if (status == KEYSTAY_E_INTERRUPTED) {
        set_state(keeper, KEY_LOCKED); /* who cancels the question wants no other one */
        return;
    }
    keeper->error = *error;
    if (err_is_about_pin(status)) {
        set_state(keeper, KEY_PIN_WRONG);
        return;
    }
    set_state(keeper, KEY_FAILING);
    keeper->pause_ms = keeper->pause_ms == 0 ? TRY_AGAIN_MS : keeper->pause_ms * 2;
    keeper->pause_ms = keeper->pause_ms > TRY_AGAIN_MAX_MS ? TRY_AGAIN_MAX_MS : keeper->pause_ms;
    keeper->try_after_ms = clock_monotonic_ms() + keeper->pause_ms;
}

/* Under the lock: what became of opening it. */
static void note_opened(
    struct keeper *keeper, unsigned int epoch, enum keystay_status status, struct opened **opened,
    const struct keystay_error *error)
{
    const bool is_wanted = keeper->epoch == epoch;

    keeper->is_opening = false;
    if (status == KEYSTAY_OK && is_wanted) {
        keeper->opened = take_ptr(opened);
        set_state(keeper, KEY_READY);
        keeper->has_looked = false;
        keeper->pause_ms = 0;
        keeper->opened_at_ms = clock_boot_ms();
    } else if (
        status != KEYSTAY_OK && (is_wanted || (err_is_about_pin(status) && keeper->state != KEY_LOCKED))) {
        note_failure(
            keeper, status, error); /* a PIN that was refused is not sent again, whatever else is wanted */
    }
    (void)pthread_cond_broadcast(&keeper->has_opened);
}

/* What of the opening's may be changed meanwhile. */
struct attempt {
    struct keeper *keeper;
    unsigned int epoch;
};

/* An opening's is_wanted. */
static bool is_wanted(void *context)
{
    const struct attempt *attempt = context;

    (void)pthread_mutex_lock(&attempt->keeper->lock);
    const bool is_wanted = attempt->keeper->epoch == attempt->epoch;
    (void)pthread_mutex_unlock(&attempt->keeper->lock);
    return is_wanted;
}

/* Under the lock. */
static void note_tries(struct keeper *keeper, const struct opening *opening)
{
    keeper->has_looked = keeper->has_looked || opening->has_looked;
    keeper->pin_tries = opening->has_looked ? opening->pin_tries : keeper->pin_tries;
}

/*
 * Under the lock, which is let go of meanwhile. KEYSTAY_OK, and nothing is open: somebody has locked it, or
 * wants it opened anew, before it was.
 */
static enum keystay_status open_signer(
    struct keeper *keeper, const struct opened_gift *gift, struct keystay_error *err)
{
    struct opened *opened = NULL;
    struct keystay_error error = { 0 };
    struct attempt attempt = { keeper, keeper->epoch };
    struct opening opening = { .profile = keeper->profile,
                               .meter = keeper->meter,
                               .gift = gift,
                               .is_wanted = is_wanted,
                               .context = &attempt };

    keeper->is_opening = true;
    keeper->is_opening_with_pin = gift->pin != NULL || keeper->asks_in_a_window;
    (void)pthread_mutex_unlock(&keeper->lock);
    enum keystay_status status = opening_run(&opening, &opened, &error);
    (void)pthread_mutex_lock(&keeper->lock);
    note_tries(keeper, &opening);
    note_opened(keeper, attempt.epoch, status, &opened, &error);
    (void)pthread_mutex_unlock(&keeper->lock);
    opened_freep(&opened); /* what is not wanted; it may take its time */
    if (status != KEYSTAY_OK && err != NULL) {
        *err = error;
    }
    (void)pthread_mutex_lock(&keeper->lock);
    return status;
}

static void wait_for_opening(struct keeper *keeper)
{
    while (keeper->is_opening) {
        (void)pthread_cond_wait(&keeper->has_opened, &keeper->lock);
    }
}

/* To a caller what was cancelled is as final: "interrupted" is no answer that an SDK knows. */
static enum keystay_status say_locked(const struct keeper *keeper, const char *why, struct keystay_error *err)
{
    (void)err_set(err, KEYSTAY_E_PIN_SOURCE, "profile %s is locked: %s", keeper->name, why);
    return err_hint(err, KEYSTAY_E_PIN_SOURCE, "keystay agent unlock %s", keeper->name);
}

static enum keystay_status say_failure(const struct keeper *keeper, struct keystay_error *err)
{
    if (err != NULL) {
        *err = keeper->error;
    }
    return keeper->error.status;
}

/* Under the lock. */
static enum keystay_status may_open(const struct keeper *keeper, struct keystay_error *err)
{
    switch (keeper->state) {
    case KEY_LOCKED:
        return say_locked(keeper, without_pin, err);
    case KEY_PIN_WRONG:
        return say_failure(keeper, err);
    case KEY_FAILING:
        if (clock_monotonic_ms() < keeper->try_after_ms) {
            return say_failure(keeper, err);
        }
        break;
    case KEY_IDLE:
    case KEY_READY:
        break;
    }
    return KEYSTAY_OK;
}

/* Under the lock: opened is there afterwards. */
static enum keystay_status be_open(struct keeper *keeper, struct keystay_error *err)
{
    static const struct opened_gift nothing;

    wait_for_opening(keeper);
    while (keeper->opened == NULL) {
        TRY(may_open(keeper, err));
        TRY(open_signer(keeper, &nothing, err));
        wait_for_opening(keeper);
    }
    return KEYSTAY_OK;
}

enum keystay_status keeper_take(struct keeper *keeper, struct opened **ret_opened, struct keystay_error *err)
{
    (void)pthread_mutex_lock(&keeper->lock);
    enum keystay_status status = be_open(keeper, err);
    if (status == KEYSTAY_OK) {
        *ret_opened = opened_share(keeper->opened);
    }
    (void)pthread_mutex_unlock(&keeper->lock);
    return status;
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

static void give_up(
    struct keeper *keeper, const struct opened *opened, enum keystay_status status,
    const struct keystay_error *error)
{
    (void)pthread_mutex_lock(&keeper->lock);
    if (opened != NULL && keeper->opened == opened) {
        opened_freep(&keeper->opened);
        note_failure(keeper, status, error);
    }
    (void)pthread_mutex_unlock(&keeper->lock);
}

enum keystay_status keeper_note_failure(
    struct keeper *keeper, const struct opened *opened, enum keystay_status status,
    struct keystay_error *error)
{
    if (is_for_a_new_signer(status, opened)) {
        give_up(keeper, opened, status, error);
    }
    return status == KEYSTAY_E_INTERRUPTED
               ? say_locked(keeper, "the question for its PIN was cancelled", error)
               : status;
}

static enum keystay_status unlock(
    struct keeper *keeper, const struct secret *pin, bool is_final_try, struct keystay_error *err)
{
    const struct opened_gift gift = { pin->len == 0 ? NULL : pin, is_final_try };

    wait_for_opening(keeper);
    if (keeper->opened != NULL) {
        return KEYSTAY_OK; /* a try of the PIN is not spent on that */
    }
    if (pin->len == 0 && keeper->asks_a_person) {
        return err_set(err, KEYSTAY_E_PIN_SOURCE, "profile %s: the PIN is empty", keeper->name);
    }
    const enum keystay_status status = open_signer(keeper, &gift, err);
    if (status != KEYSTAY_OK && err != NULL) {
        journal_failure(keeper->log, keeper->name, "not unlocked", err);
    }
    TRY(status);
    return keeper->opened != NULL ? KEYSTAY_OK : say_locked(keeper, without_pin, err);
}

enum keystay_status keeper_unlock(
    struct keeper *keeper, const struct secret *pin, bool is_final_try, struct keystay_error *err)
{
    (void)pthread_mutex_lock(&keeper->lock);
    enum keystay_status status = unlock(keeper, pin, is_final_try, err);
    (void)pthread_mutex_unlock(&keeper->lock);
    return status;
}

/* Under the lock. */
static void note_looked(struct keeper *keeper, enum keystay_status status, const struct keystay_error *error)
{
    keeper->is_opening = false;
    if (status == KEYSTAY_E_PIN_LOCKED && keeper->opened == NULL) {
        note_failure(keeper, status, error);
    }
    (void)pthread_cond_broadcast(&keeper->has_opened);
}

enum keystay_status keeper_look_at_pin(
    struct keeper *keeper, unsigned int *ret_tries, struct keystay_error *err)
{
    struct opening opening = { .profile = keeper->profile, .meter = keeper->meter };
    struct keystay_error error = { 0 };
    enum keystay_status status = KEYSTAY_OK;

    (void)pthread_mutex_lock(&keeper->lock);
    wait_for_opening(keeper);
    if (keeper->opened == NULL) {
        keeper->is_opening = true;
        keeper->is_opening_with_pin = false;
        (void)pthread_mutex_unlock(&keeper->lock);
        status = opening_look(&opening, &error);
        (void)pthread_mutex_lock(&keeper->lock);
        note_tries(keeper, &opening);
        note_looked(keeper, status, &error);
    }
    (void)pthread_mutex_unlock(&keeper->lock);
    if (status != KEYSTAY_OK && err != NULL) {
        *err = error;
    }
    *ret_tries = opening.pin_tries;
    return status;
}

void keeper_lock(struct keeper *keeper, bool may_ask_again)
{
    CLEANUP(opened_freep) struct opened *opened = NULL;

    (void)pthread_mutex_lock(&keeper->lock);
    opened = take_ptr(&keeper->opened);
    const bool asks_again = may_ask_again && keeper->asks_in_a_window &&
                            (keeper->state == KEY_READY || keeper->state == KEY_IDLE);
    set_state(keeper, asks_again ? KEY_IDLE : KEY_LOCKED);
    keeper->epoch++;
    (void)pthread_mutex_unlock(&keeper->lock);
}

void keeper_reopen(struct keeper *keeper)
{
    CLEANUP(opened_freep) struct opened *opened = NULL;

    (void)pthread_mutex_lock(&keeper->lock);
    const bool has_pin =
        keeper->is_opening ? keeper->is_opening_with_pin : keeper->opened != NULL && keeper->opened->has_pin;
    if (keeper->state != KEY_LOCKED && !has_pin) {
        opened = take_ptr(&keeper->opened);
        set_state(keeper, keeper->asks_a_person ? KEY_LOCKED : KEY_IDLE);
        keeper->pause_ms = 0;
        keeper->epoch++;
    }
    (void)pthread_mutex_unlock(&keeper->lock);
}

/* Under the lock. */
static bool signs_alone(const struct keeper *keeper, int64_t now_ms)
{
    switch (keeper->state) {
    case KEY_READY:
        return true;
    case KEY_IDLE:
        return keeper->opens_alone;
    case KEY_FAILING:
        return keeper->opens_alone && now_ms >= keeper->try_after_ms;
    case KEY_LOCKED:
    case KEY_PIN_WRONG:
        break;
    }
    return false;
}

bool keeper_signs_alone(struct keeper *keeper, int64_t now_ms)
{
    (void)pthread_mutex_lock(&keeper->lock);
    const bool is_so = !keeper->is_opening && signs_alone(keeper, now_ms);
    (void)pthread_mutex_unlock(&keeper->lock);
    return is_so;
}

bool keeper_is_due(struct keeper *keeper, int64_t now_s)
{
    const int64_t ends_s = atomic_load(&keeper->meter->certificate_ends_s);

    (void)pthread_mutex_lock(&keeper->lock);
    const bool is_due = keeper->opened != NULL && !keeper->opened->has_pin &&
                        clock_boot_ms() - keeper->opened_at_ms >= DAY_MS && ends_s - now_s < RENEWAL_S;
    (void)pthread_mutex_unlock(&keeper->lock);
    return is_due;
}

const char *key_state_name(enum key_state state)
{
    static const char *const names[] = {
        [KEY_IDLE] = "idle",           [KEY_READY] = "ready",     [KEY_LOCKED] = "locked",
        [KEY_PIN_WRONG] = "pin wrong", [KEY_FAILING] = "failing",
    };

    return names[state];
}

void keeper_get_status(struct keeper *keeper, struct keeper_status *ret_status)
{
    *ret_status =
        (struct keeper_status){ .asks_a_person = keeper->asks_a_person,
                                .has_a_persons_pin = keeper->asks_a_person || keeper->asks_in_a_window };
    (void)pthread_mutex_lock(&keeper->lock);
    ret_status->state = keeper->state;
    ret_status->opened_at_ms = keeper->opened_at_ms;
    ret_status->since_s = keeper->since_s;
    ret_status->is_opening = keeper->is_opening;
    ret_status->has_looked = keeper->has_looked;
    ret_status->pin_tries = keeper->pin_tries;
    if (keeper->state == KEY_PIN_WRONG || keeper->state == KEY_FAILING) {
        ret_status->error = keeper->error;
    }
    if (keeper->state == KEY_FAILING) {
        const int64_t left_ms = keeper->try_after_ms - clock_monotonic_ms();

        ret_status->tries_again_in_s = left_ms > 0 ? (left_ms + 999) / 1000 : 0;
    }
    (void)pthread_mutex_unlock(&keeper->lock);
}
