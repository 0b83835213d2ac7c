/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/link.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "pkcs11/cryptoki/pool.h"
#include "pkcs11/cryptoki/recovery.h"
#include "pkcs11/cryptoki/slot.h"
#include "pkcs11/rv.h"

enum { WHERE_SIZE = 200, FULL_CLIMB_EVERY_MS = 30000, FAILED_CLIMB_MS = 1000, READER_NOTICES_NS = 600000000 };

struct p11_link {
    const struct p11_settings *settings; /* borrowed */
    struct p11_module module;
    struct p11_token token;
    char where[WHERE_SIZE];
    struct session_pool pool;
    struct secret kept_pin;
    unsigned int generation; /* read and written under the module's gate */
    int64_t climbed_at_ms;   /* of the last full climb; 0: never */
    int64_t climb_wait_ms;   /* from then until the next one is allowed */
};

const struct p11_token *link_token(const struct p11_link *link)
{
    return &link->token;
}

const char *link_where(const struct p11_link *link)
{
    return link->where;
}

const struct secret *link_kept_pin(const struct p11_link *link)
{
    return &link->kept_pin;
}

/* What pin_send needs to call back with. */
struct login_call {
    struct p11_link *link;
    CK_SESSION_HANDLE session;
};

static CK_RV send_pin(void *context, const struct secret *pin)
{
    const struct login_call *call = context;
    CK_UTF8CHAR *bytes = pin == NULL ? NULL : (CK_UTF8CHAR *)pin->data;

    return P11(
        &call->link->module, C_Login, call->session, CKU_USER, bytes, pin == NULL ? 0 : (CK_ULONG)pin->len);
}

static CK_RV read_info(void *context, CK_TOKEN_INFO *ret_info)
{
    const struct login_call *call = context;

    return P11(&call->link->module, C_GetTokenInfo, call->link->token.slot, ret_info);
}

/* Another signer of this process may have logged in already; asking costs a call, so only when there is one.
 */
static bool is_logged_in(struct p11_link *link, CK_SESSION_HANDLE session)
{
    CK_SESSION_INFO info = { 0 };

    return module_has_other_users(&link->module) &&
           P11(&link->module, C_GetSessionInfo, session, &info) == CKR_OK &&
           (info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS);
}

static enum keystay_status log_in(struct p11_link *link, CK_SESSION_HANDLE session, struct keystay_error *err)
{
    const struct pin_policy *policy = &link->settings->pin;
    const struct pin_target target = { &link->token.info, link->where, "", "C_Login" };
    struct login_call call = { link, session };
    const struct pin_ops ops = { send_pin, read_info, &call };
    CLEANUP(secret_clear) struct secret fresh = { 0 };

    if (!pin_wants_login(policy, link->token.info.flags) || is_logged_in(link, session)) {
        return KEYSTAY_OK;
    }
    if (link->kept_pin.len == 0) {
        TRY(pin_obtain(policy, &target, link->settings->log, &fresh, err));
    }
    TRY(pin_send(
        policy, &target, &ops, link->kept_pin.len > 0 ? &link->kept_pin : &fresh, link->settings->log, err));
    if (fresh.len > 0 && pin_must_keep(policy)) {
        secret_move(&link->kept_pin, &fresh);
    }
    return KEYSTAY_OK;
}

/* The first session of a set, and the login. */
static enum keystay_status open_and_log_in(struct p11_link *link, struct keystay_error *err)
{
    CK_SESSION_HANDLE session = 0;

    TRY(pool_start(&link->pool, &link->module, &link->token, link->where, link->settings->sessions_max, err));
    TRY(pool_take(&link->pool, &session, err));
    enum keystay_status status = log_in(link, session, err);
    pool_give(&link->pool, session, false);
    return status;
}

static void name_token(struct p11_link *link)
{
    (void)snprintf(
        link->where, sizeof(link->where), "token '%s' (serial %s)", link->token.label,
        link->token.serial[0] == '\0' ? "unknown" : link->token.serial);
}

static enum keystay_status find_token(struct p11_link *link, struct keystay_error *err)
{
    TRY(slot_find_token(&link->module, link->settings->module_path, link->settings->key, &link->token, err));
    name_token(link);
    return KEYSTAY_OK;
}

enum keystay_status link_open_slot(
    const struct p11_settings *settings, const struct p11_token *token, struct p11_link **ret_link,
    struct keystay_error *err)
{
    struct p11_link *link = calloc(1, sizeof(*link));

    if (link == NULL) {
        return err_no_memory(err);
    }
    link->settings = settings;
    pool_init(&link->pool);
    enum keystay_status status =
        module_open(settings->module_path, settings->module_args, settings->watch, &link->module, err);
    if (status == KEYSTAY_OK && token != NULL) {
        CK_ULONG n = 0;
        link->token = *token;
        name_token(link);
        /* Modules know their slots only after they have been asked for them. */
        (void)P11(&link->module, C_GetSlotList, CK_FALSE, NULL, &n);
    } else if (status == KEYSTAY_OK) {
        status = find_token(link, err);
    }
    status = status != KEYSTAY_OK ? status : open_and_log_in(link, err);
    if (status != KEYSTAY_OK) {
        link_close(link);
        return status;
    }
    *ret_link = link;
    return KEYSTAY_OK;
}

enum keystay_status link_open(
    const struct p11_settings *settings, struct p11_link **ret_link, struct keystay_error *err)
{
    return link_open_slot(settings, NULL, ret_link, err);
}

void link_close(struct p11_link *link)
{
    if (link == NULL) {
        return;
    }
    /* The last user's C_Finalize closes the sessions; for the others they are closed one by one. */
    if (link->module.list != NULL && module_is_own(&link->module) && module_has_other_users(&link->module)) {
        pool_close_sessions(&link->pool);
    }
    module_close(&link->module);
    pool_clear(&link->pool);
    secret_clear(&link->kept_pin);
    free(link);
}

/* The card that came back must be the one that went: an URI may fit another one as well. */
static enum keystay_status find_same_token(struct p11_link *link, struct keystay_error *err)
{
    const struct p11_token before = link->token;

    TRY(find_token(link, err));
    if (!str_equal(before.label, link->token.label) || !str_equal(before.serial, link->token.serial)) {
        link->token = before;
        return err_set(
            err, KEYSTAY_E_TOKEN_NOT_FOUND, "token '%s' (serial %s) is gone, another one is in its place",
            before.label, before.serial);
    }
    return KEYSTAY_OK;
}

/* One rung, with the gate held for writing. */
static enum keystay_status rebuild(struct p11_link *link, enum recovery_rung rung, struct keystay_error *err)
{
    CK_ULONG n = 0;

    pool_close_sessions(&link->pool);
    if (rung >= RECOVERY_RESCAN) {
        (void)P11(&link->module, C_CloseAllSessions, link->token.slot);
    }
    if (rung == RECOVERY_REINITIALIZE) {
        TRY(module_reinitialize(&link->module, err));
    }
    if (rung >= RECOVERY_RESCAN) {
        /* Modules look at their readers again only when the list is NULL. */
        (void)P11(&link->module, C_GetSlotList, CK_FALSE, NULL, &n);
        TRY(find_same_token(link, err));
    }
    return open_and_log_in(link, err);
}

static bool is_pin_trouble(enum keystay_status status)
{
    return keystay_status_exit(status) == keystay_status_exit(KEYSTAY_E_PIN_INCORRECT);
}

/*
 * A full climb takes everybody's sessions down: after one that held, the next is half a minute away. After
 * one that failed there are none left to protect, so the wait begins small and doubles.
 */
static bool may_reinitialize(const struct p11_link *link)
{
    return link->climbed_at_ms == 0 || clock_monotonic_ms() - link->climbed_at_ms >= link->climb_wait_ms;
}

static void note_full_climb(struct p11_link *link, bool has_held)
{
    /* What a climb that held had set is no measure for one that failed. */
    int64_t longer_ms = link->climb_wait_ms == FULL_CLIMB_EVERY_MS ? 0 : link->climb_wait_ms * 2;

    link->climbed_at_ms = clock_monotonic_ms();
    if (has_held || longer_ms > FULL_CLIMB_EVERY_MS) {
        link->climb_wait_ms = FULL_CLIMB_EVERY_MS;
    } else {
        link->climb_wait_ms = longer_ms < FAILED_CLIMB_MS ? FAILED_CLIMB_MS : longer_ms;
    }
}

/* Climbs until a rung holds. Somebody else may have been up already: then generation has changed. */
static enum keystay_status climb(
    struct p11_link *link, enum recovery_rung rung, unsigned int generation, struct keystay_error *err)
{
    const struct timespec pause = { .tv_nsec = READER_NOTICES_NS };
    enum keystay_status status = KEYSTAY_E_MODULE;

    if (rung >= RECOVERY_RESCAN) {
        /* A reader takes a moment to notice that its card is gone; until then a call to the card may hang. */
        (void)nanosleep(&pause, NULL);
    }
    (void)pthread_rwlock_wrlock(module_gate(&link->module));
    if (link->generation != generation) {
        status = KEYSTAY_OK;
    }
    for (; status != KEYSTAY_OK && rung <= RECOVERY_REINITIALIZE && !is_pin_trouble(status); rung++) {
        if (rung == RECOVERY_REINITIALIZE && !may_reinitialize(link)) {
            break;
        }
        log_step(link->settings->log, "%s: recovering, step %d", link->where, (int)rung);
        status = rebuild(link, rung, err);
        link->generation += status == KEYSTAY_OK ? 1 : 0;
        if (rung == RECOVERY_REINITIALIZE) {
            note_full_climb(link, status == KEYSTAY_OK);
        }
    }
    (void)pthread_rwlock_unlock(module_gate(&link->module));
    return status;
}

/* How a try at the work went. */
struct attempt {
    unsigned int generation; /* of its session */
    int64_t elapsed_ms;      /* of the work itself, without the wait for a session */
};

static enum keystay_status try_work(
    struct p11_link *link, link_work work, void *context, struct attempt *ret_attempt,
    struct keystay_error *err)
{
    CK_SESSION_HANDLE handle = 0;
    bool is_broken = false;

    (void)pthread_rwlock_rdlock(module_gate(&link->module));
    *ret_attempt = (struct attempt){ .generation = link->generation };
    enum keystay_status status = pool_take(&link->pool, &handle, err);
    if (status == KEYSTAY_OK) {
        const struct p11_session session = { &link->module, handle, link->where };
        int64_t started_ms = clock_monotonic_ms();
        status = work(&session, link->generation, context, &is_broken, err);
        ret_attempt->elapsed_ms = clock_monotonic_ms() - started_ms;
        pool_give(&link->pool, handle, is_broken);
    }
    (void)pthread_rwlock_unlock(module_gate(&link->module));
    return status;
}

enum keystay_status link_use(struct p11_link *link, link_work work, void *context, struct keystay_error *err)
{
    struct keystay_error own = { 0 };
    struct keystay_error climb_error = { 0 };
    struct attempt attempt = { 0 };

    if (!module_is_own(&link->module)) {
        return err_set_hint(
            err, KEYSTAY_E_MODULE, "open the signer after fork, in the process that uses it",
            "%s: the process was forked after the module was initialised", link->where);
    }
    enum keystay_status status = try_work(link, work, context, &attempt, &own);
    enum recovery_rung rung = status == KEYSTAY_E_MODULE || status == KEYSTAY_E_TOKEN_NOT_FOUND
                                  ? recovery_first_rung(own.ck_rv, attempt.elapsed_ms)
                                  : RECOVERY_NONE;
    if (rung != RECOVERY_NONE) {
        enum keystay_status climbed = climb(link, rung, attempt.generation, &climb_error);
        if (is_pin_trouble(climbed)) {
            own = climb_error;
            status = climbed;
        } else if (climbed == KEYSTAY_OK) {
            status = try_work(link, work, context, &attempt, &own);
        }
    }
    if (status != KEYSTAY_OK && err != NULL) {
        *err = own;
    }
    return status;
}
