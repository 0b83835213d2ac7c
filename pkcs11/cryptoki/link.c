/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link is up or down. Up: its sessions, its login and the object handles of its generation are good, as far
 * as anybody knows. A call that says otherwise has the ladder climbed; when no rung holds, the link is down,
 * and the next piece of work climbs before it does anything. Nothing is ever done with sessions or handles of
 * before.
 *
 * Locks: climb_lock, then the module's gate. Work holds the gate for reading, a climb for writing; a person
 * is asked with the gate released.
 */
#include "pkcs11/cryptoki/link.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "pkcs11/cryptoki/login.h"
#include "pkcs11/cryptoki/pool.h"
#include "pkcs11/cryptoki/recovery.h"
#include "pkcs11/cryptoki/slot.h"
#include "pkcs11/rv.h"

enum { WHERE_SIZE = 200 };

/* All but the first three is read and written under the module's gate. */
struct p11_link {
    const struct p11_settings *settings; /* borrowed */
    struct p11_module module;
    pthread_mutex_t climb_lock; /* one climbs at a time; the others find it done */
    struct p11_token token;
    char where[WHERE_SIZE];
    struct session_pool pool;
    struct secret kept_pin;
    unsigned int generation;
    unsigned int epoch; /* of the module, when the sessions were opened */
    enum recovery_rung
        down_rung; /* where to begin before anything else is done; RECOVERY_NONE: the link is up */
    struct login_outcome login; /* of the last rung */
};

struct p11_token link_token(const struct p11_link *link)
{
    (void)pthread_rwlock_rdlock(module_gate(&link->module));
    struct p11_token token = link->token;
    (void)pthread_rwlock_unlock(module_gate(&link->module));
    return token;
}

const char *link_where(const struct p11_link *link)
{
    return link->where;
}

bool link_has_kept_pin(const struct p11_link *link)
{
    (void)pthread_rwlock_rdlock(module_gate(&link->module));
    bool has = link->kept_pin.len > 0;
    (void)pthread_rwlock_unlock(module_gate(&link->module));
    return has;
}

const struct secret *link_kept_pin(const struct p11_link *link)
{
    return &link->kept_pin;
}

void link_take_pin(struct p11_link *link, struct secret *ret_pin)
{
    (void)pthread_rwlock_wrlock(module_gate(&link->module));
    secret_move(ret_pin, &link->kept_pin);
    (void)pthread_rwlock_unlock(module_gate(&link->module));
}

bool link_is_alone(const struct p11_link *link)
{
    return !module_has_other_users(&link->module);
}

static struct login_job login_of(struct p11_link *link)
{
    return (struct login_job){ &link->module, &link->token, link->where, link->settings, &link->kept_pin };
}

/* The first session of a set, and the login. */
static enum keystay_status open_and_log_in(struct p11_link *link, bool may_ask, struct keystay_error *err)
{
    const struct login_job job = login_of(link);
    CK_SESSION_HANDLE session = 0;

    link->epoch = module_epoch(&link->module);
    TRY(pool_start(&link->pool, &link->module, &link->token, link->where, link->settings->sessions_max, err));
    TRY(pool_take(&link->pool, &session, err));
    enum keystay_status status = login_user(&job, session, may_ask, &link->login, err);
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
    return slot_find_token(
        &link->module, link->settings->module_path, link->settings->key, &link->token, err);
}

/* The token that was chosen before, or NULL. */
static enum keystay_status settle_token(
    struct p11_link *link, const struct p11_token *token, struct keystay_error *err)
{
    if (token == NULL) {
        TRY(slot_find_token_patiently(
            &link->module, link->settings->module_path, link->settings->key, &link->token, err));
    } else {
        CK_ULONG n = 0;

        link->token = *token;
        /* Modules know their slots only after they have been asked for them. */
        (void)P11(&link->module, C_GetSlotList, CK_FALSE, NULL, &n);
    }
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
    (void)pthread_mutex_init(&link->climb_lock, NULL);
    pool_init(&link->pool);
    link->pool.may_write = settings->may_write;
    enum keystay_status status =
        module_open(settings->module_path, settings->module_args, settings->watch, &link->module, err);
    status = status != KEYSTAY_OK ? status : settle_token(link, token, err);
    status = status != KEYSTAY_OK ? status : open_and_log_in(link, true, err);
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

/* Our sessions are the module's no more: it was finalised. */
static bool is_from_before(const struct p11_link *link)
{
    return link->epoch != module_epoch(&link->module);
}

static void drop_sessions(struct p11_link *link)
{
    if (is_from_before(link)) {
        pool_forget_sessions(&link->pool);
    } else {
        pool_close_sessions(&link->pool);
    }
}

void link_close(struct p11_link *link)
{
    if (link == NULL) {
        return;
    }
    /* The last user's C_Finalize closes the sessions; for the others they are closed one by one. */
    if (link->module.list != NULL && module_is_own(&link->module) && module_has_other_users(&link->module)) {
        drop_sessions(link);
    }
    module_close(&link->module);
    pool_clear(&link->pool);
    (void)pthread_mutex_destroy(&link->climb_lock);
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
        return err_set_hint(
            err, KEYSTAY_E_TOKEN_NOT_FOUND,
            "put the first one back, or start this program again to use the other",
            "token '%s' (serial %s) is gone, another one is in its place", before.label, before.serial);
    }
    return KEYSTAY_OK;
}

/* One rung, with the gate held for writing. */
static enum keystay_status rebuild(struct p11_link *link, enum recovery_rung rung, struct keystay_error *err)
{
    bool must_look = rung >= RECOVERY_RESCAN || is_from_before(link);
    CK_ULONG n = 0;

    drop_sessions(link);
    if (rung >= RECOVERY_RESCAN && !module_has_other_users(&link->module)) {
        (void)P11(&link->module, C_CloseAllSessions, link->token.slot); /* also those that were lost */
    }
    if (rung == RECOVERY_REINITIALIZE) {
        TRY(module_reinitialize(&link->module, err));
    }
    if (must_look) {
        /* Modules look at their readers again only when the list is NULL. */
        (void)P11(&link->module, C_GetSlotList, CK_FALSE, NULL, &n);
        TRY(find_same_token(link, err));
    }
    return open_and_log_in(link, false, err);
}

/* Rung by rung until one holds, with the gate held for writing. */
static enum keystay_status climb_rungs(
    struct p11_link *link, enum recovery_rung rung, struct keystay_error *err)
{
    enum keystay_status status = KEYSTAY_E_MODULE;

    link->down_rung = rung < RECOVERY_RESCAN ? rung : RECOVERY_RESCAN;
    link->login = (struct login_outcome){ 0 };
    for (; rung <= RECOVERY_REINITIALIZE; rung++) {
        if (rung == RECOVERY_REINITIALIZE && !module_may_reinitialize(&link->module)) {
            return status;
        }
        log_step(link->settings->log, "%s: recovering, step %d", link->where, (int)rung);
        status = rebuild(link, rung, err);
        if (rung == RECOVERY_REINITIALIZE) {
            module_note_reinitialized(&link->module, status == KEYSTAY_OK);
        }
        if (status == KEYSTAY_OK) {
            link->generation++;
            link->down_rung = RECOVERY_NONE;
            return status;
        }
        if (err_is_about_pin(status) || link->login.wants_person) {
            return status;
        }
        link->down_rung = RECOVERY_RESCAN;
        if (link->login.was_sent && rung < RECOVERY_RESCAN) {
            rung = RECOVERY_RESCAN; /* straight to the last: the try may have counted, whatever the module
                                       said */
        }
    }
    return status;
}

/* Why a climb is wanted. */
struct need {
    enum recovery_rung rung; /* where to begin; RECOVERY_NONE: there is no need */
    bool wants_pause;
    unsigned int generation; /* of what failed: somebody else may have climbed since */
};

static enum keystay_status climb_once(
    struct p11_link *link, const struct need *need, struct keystay_error *err)
{
    enum keystay_status status = KEYSTAY_OK;

    if (need->wants_pause) {
        recovery_wait_for_reader();
    }
    (void)pthread_rwlock_wrlock(module_gate(&link->module));
    if (link->generation == need->generation || link->down_rung != RECOVERY_NONE || is_from_before(link)) {
        status = climb_rungs(link, need->rung, err);
    }
    (void)pthread_rwlock_unlock(module_gate(&link->module));
    return status;
}

static void keep_pin(struct p11_link *link, struct secret *pin)
{
    (void)pthread_rwlock_wrlock(module_gate(&link->module));
    secret_move(&link->kept_pin, pin);
    (void)pthread_rwlock_unlock(module_gate(&link->module));
}

/* Where a person must give the PIN anew they are asked in between, while nobody holds the gate. */
static enum keystay_status climb(struct p11_link *link, const struct need *need, struct keystay_error *err)
{
    const struct login_job job = login_of(link);
    const struct need again = { .rung = RECOVERY_SESSION, .generation = need->generation };
    CLEANUP(secret_clear) struct secret pin = { 0 };

    (void)pthread_mutex_lock(&link->climb_lock);
    enum keystay_status status = climb_once(link, need, err);
    if (status != KEYSTAY_OK && link->login.wants_person) {
        status = login_ask(&job, &pin, err);
        keep_pin(link, &pin);
        status = status != KEYSTAY_OK ? status : climb_once(link, &again, err);
    }
    (void)pthread_mutex_unlock(&link->climb_lock);
    return status;
}

/* In a session of its own, with the gate held for reading. */
static enum keystay_status do_work(
    struct p11_link *link, link_work work, void *context, int64_t *ret_elapsed_ms, struct keystay_error *err)
{
    CK_SESSION_HANDLE handle = 0;
    bool is_broken = false;

    *ret_elapsed_ms = 0;
    TRY(pool_take(&link->pool, &handle, err));
    const struct p11_session session = { &link->module, handle, link->where, link->token.slot,
                                         &link->token.info };
    int64_t started_ms = clock_monotonic_ms(); /* the wait for a session does not count */
    enum keystay_status status = work(&session, link->generation, context, &is_broken, err);
    *ret_elapsed_ms = clock_monotonic_ms() - started_ms;
    pool_give(&link->pool, handle, is_broken);
    return status;
}

/* A token that takes no objects says it by the code of one whose card another program uses (ykcs11 2.7). */
static bool is_final(const struct p11_link *link, CK_RV rv)
{
    return link->settings->may_write && rv == CKR_FUNCTION_NOT_SUPPORTED;
}

/* *ret_need says whether a climb may help. A link that is down is not tried: err is untouched then. */
static enum keystay_status try_work(
    struct p11_link *link, link_work work, void *context, struct need *ret_need, struct keystay_error *err)
{
    enum keystay_status status = KEYSTAY_E_MODULE;
    int64_t elapsed_ms = 0;

    (void)pthread_rwlock_rdlock(module_gate(&link->module));
    *ret_need = (struct need){ link->down_rung, false, link->generation };
    if (ret_need->rung == RECOVERY_NONE && is_from_before(link)) {
        ret_need->rung = RECOVERY_SESSION;
    } else if (ret_need->rung == RECOVERY_NONE) {
        status = do_work(link, work, context, &elapsed_ms, err);
        if ((status == KEYSTAY_E_MODULE || status == KEYSTAY_E_TOKEN_NOT_FOUND) &&
            !is_final(link, err->ck_rv)) {
            ret_need->rung = recovery_first_rung(err->ck_rv, elapsed_ms);
            ret_need->wants_pause = recovery_wants_pause(err->ck_rv);
        }
    }
    (void)pthread_rwlock_unlock(module_gate(&link->module));
    return status;
}

/* With the work's own error, and the climb's where that says more: about the PIN, or because nothing was
 * tried. */
static enum keystay_status recover(struct p11_link *link, const struct need *need, struct keystay_error *own)
{
    struct keystay_error climb_error = { 0 };
    enum keystay_status climbed = climb(link, need, &climb_error);

    if (climbed != KEYSTAY_OK && (err_is_about_pin(climbed) || own->status == KEYSTAY_OK)) {
        *own = climb_error;
    }
    return climbed;
}

enum keystay_status link_use(struct p11_link *link, link_work work, void *context, struct keystay_error *err)
{
    enum recovery_rung least = RECOVERY_SESSION;
    struct keystay_error own = { 0 };
    struct need need = { 0 };

    if (!module_is_own(&link->module)) {
        return err_set_hint(
            err, KEYSTAY_E_MODULE, "open the signer after fork, in the process that uses it",
            "%s: the process was forked after the module was initialised", link->where);
    }
    enum keystay_status status = try_work(link, work, context, &need, &own);
    /* A rung may hold and the work fail all the same: then a higher one is tried, and none twice. */
    while (status != KEYSTAY_OK && need.rung != RECOVERY_NONE) {
        need.rung = need.rung > least ? need.rung : least;
        if (need.rung > RECOVERY_REINITIALIZE || recover(link, &need, &own) != KEYSTAY_OK) {
            break;
        }
        least = need.rung + 1;
        own = (struct keystay_error){ 0 };
        status = try_work(link, work, context, &need, &own);
    }
    if (status != KEYSTAY_OK && own.status == KEYSTAY_OK) {
        (void)err_set(&own, status, "%s: it went away each time that it was found again", link->where);
    }
    if (status != KEYSTAY_OK && err != NULL) {
        *err = own;
    }
    return status == KEYSTAY_OK ? status : own.status;
}

/* A link_work. */
static enum keystay_status ask_state(
    const struct p11_session *session, unsigned int generation, void *context, bool *ret_is_broken,
    struct keystay_error *err)
{
    const struct p11_link *link = context;
    CK_TOKEN_INFO info = { 0 };
    CK_SESSION_INFO state = { 0 };

    (void)generation;
    (void)ret_is_broken;
    CK_RV rv = P11(session->module, C_GetTokenInfo, link->token.slot, &info);
    if (rv != CKR_OK) {
        return rv_error(rv, "C_GetTokenInfo", session->where, err);
    }
    rv = P11(session->module, C_GetSessionInfo, session->handle, &state);
    if (rv == CKR_OK && pin_wants_login(&link->settings->pin, info.flags) &&
        (state.state == CKS_RO_PUBLIC_SESSION || state.state == CKS_RW_PUBLIC_SESSION)) {
        rv = CKR_USER_NOT_LOGGED_IN;
    }
    return rv == CKR_OK ? KEYSTAY_OK : rv_error(rv, "C_GetSessionInfo", session->where, err);
}

enum keystay_status link_check(struct p11_link *link, struct keystay_error *err)
{
    return link_use(link, ask_state, link, err);
}

void link_lock(struct p11_link *link)
{
    CK_SESSION_HANDLE session = 0;

    (void)pthread_rwlock_wrlock(module_gate(&link->module));
    if (module_is_own(&link->module) && link->down_rung == RECOVERY_NONE && !is_from_before(link) &&
        pool_take(&link->pool, &session, NULL) == KEYSTAY_OK) {
        (void)P11(&link->module, C_Logout, session);
        pool_give(&link->pool, session, false);
        pool_close_sessions(&link->pool);
        link->down_rung = RECOVERY_SESSION;
    }
    secret_clear(&link->kept_pin);
    (void)pthread_rwlock_unlock(module_gate(&link->module));
}
