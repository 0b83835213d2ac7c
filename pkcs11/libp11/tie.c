/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tie is up when it holds an EVP_PKEY. Whatever goes wrong has everything of the module let go, for all its
 * users: libp11 0.4.12 has no smaller step that leads anywhere. Each user gets its own key again when it is
 * next used.
 *
 * Locks: climb_lock, then the context's gate. Work holds the gate for reading, a climb for writing; a person
 * is asked with the gate released.
 */
#include "pkcs11/libp11/tie.h"

#include <openssl/err.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "pkcs11/cryptoki/recovery.h"
#include "pkcs11/libp11/look.h"
#include "pkcs11/libp11/queue.h"

enum { ROUNDS_MAX = 32 };

static const struct keystay_call_watch *watch_of(const struct tie *tie)
{
    return tie->settled->settings.watch;
}

/* Of what libp11 shows of a token, what the PIN rule looks at. */
static CK_TOKEN_INFO token_info(const struct tie *tie)
{
    const PKCS11_TOKEN *token = tie->hold.slot->token;
    CK_TOKEN_INFO info = tie->settled->token.info;
    const struct {
        CK_FLAGS flag;
        unsigned char is_set;
    } rows[] = {
        { CKF_LOGIN_REQUIRED, token->loginRequired },
        { CKF_PROTECTED_AUTHENTICATION_PATH, token->secureLogin },
        { CKF_USER_PIN_COUNT_LOW, token->userPinCountLow },
        { CKF_USER_PIN_FINAL_TRY, token->userPinFinalTry },
        { CKF_USER_PIN_LOCKED, token->userPinLocked },
        { CKF_USER_PIN_TO_BE_CHANGED, token->userPinToBeChanged },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        info.flags = rows[i].is_set ? info.flags | rows[i].flag : info.flags & ~rows[i].flag;
    }
    return info;
}

static enum keystay_status raise_slot(struct tie *tie, struct keystay_error *err)
{
    TRY(context_raise(tie->context, watch_of(tie), err));
    return look_for_token(tie->context, tie->settled, tie->where, &tie->hold.slot, err);
}

/* A pin_ops' send. */
static CK_RV send_pin(void *context, const struct secret *pin)
{
    struct tie *tie = context;

    ERR_clear_error();
    if (LIB11(watch_of(tie), PKCS11_login, tie->hold.slot, 0, pin == NULL ? NULL : pin->data) == 0) {
        return CKR_OK;
    }
    CK_RV rv = queue_take();
    return rv == CKR_OK ? CKR_GENERAL_ERROR : rv;
}

/* A pin_ops' read_info. libp11 reads a token's flags when it lists the slots, so they are listed anew. */
static CK_RV read_info(void *context, CK_TOKEN_INFO *ret_info)
{
    struct tie *tie = context;
    struct keystay_error error = { 0 };

    context_release(tie->context, watch_of(tie));
    if (raise_slot(tie, &error) != KEYSTAY_OK) {
        return error.ck_rv == CKR_OK ? CKR_TOKEN_NOT_PRESENT : (CK_RV)error.ck_rv;
    }
    *ret_info = token_info(tie);
    return CKR_OK;
}

/* PKCS11_login answers 0 to all but the first of a slot, so it is asked only then. */
static bool is_logged_in(const struct tie *tie)
{
    int is_in = 0;

    return PKCS11_is_logged_in(tie->hold.slot, 0, &is_in) == 0 && is_in != 0;
}

static enum keystay_status log_in(struct tie *tie, const struct secret *pin, struct keystay_error *err)
{
    const struct p11_settings *settings = &tie->settled->settings;
    const CK_TOKEN_INFO info = token_info(tie);
    const struct pin_target target = { &info, tie->where, "", "C_Login (libp11)" };
    const struct pin_ops ops = { send_pin, read_info, tie };

    if (!pin_wants_login(&settings->pin, info.flags) || is_logged_in(tie)) {
        return KEYSTAY_OK;
    }
    return pin_send(&settings->pin, &target, &ops, pin, settings->log, err);
}

static enum keystay_status raise(struct tie *tie, const struct secret *pin, struct keystay_error *err)
{
    TRY(raise_slot(tie, err));
    TRY(log_in(tie, pin, err));
    return look_for_key(tie->hold.slot, tie->settled, tie->where, &tie->hold.key, err);
}

/* PKCS #11 v3.0 §3.2: 0 is "no effective limit", all ones "not known". */
static size_t session_limit(const struct tie *tie)
{
    CK_ULONG allowed = tie->settled->token.info.ulMaxSessionCount;
    size_t most = tie->settled->settings.sessions_max;

    return allowed != CK_EFFECTIVELY_INFINITE && allowed != CK_UNAVAILABLE_INFORMATION && allowed < most
               ? allowed
               : most;
}

static void settle_pin(struct tie *tie, struct secret *pin, enum keystay_status status)
{
    const struct pin_policy *policy = &tie->settled->settings.pin;

    if (status == KEYSTAY_OK && pin_must_keep(policy)) {
        secret_move(&tie->pin, pin);
    }
}

enum keystay_status tie_first(struct tie *tie, struct keystay_error *err)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };

    context_limit(tie->context, session_limit(tie));
    secret_move(&pin, &tie->pin);
    enum keystay_status status = raise(tie, &pin, err);
    if (status == KEYSTAY_E_TOKEN_NOT_FOUND) { /* as for cryptoki/slot: it may be back in a moment */
        recovery_wait_for_token();
        context_unload(tie->context, watch_of(tie));
        status = raise(tie, &pin, err);
    }
    settle_pin(tie, &pin, status);
    return status;
}

enum rung {
    RUNG_NONE,
    RUNG_RAISE,   /* get what is ours again: somebody let go of it */
    RUNG_RELEASE, /* let go of all, list the slots anew, log in */
    RUNG_RELOAD,  /* and finalise the module in between */
};

/* Why a climb is wanted. */
struct need {
    enum rung rung;
    bool wants_pause;
    unsigned int generation; /* of what failed: somebody else may have climbed since */
};

/* What is wrong with the data, the mechanism or the key stays wrong. */
static bool is_about_data(CK_RV rv)
{
    static const CK_RV rows[] = {
        CKR_DATA_INVALID,
        CKR_DATA_LEN_RANGE,
        CKR_MECHANISM_INVALID,
        CKR_MECHANISM_PARAM_INVALID,
        CKR_KEY_SIZE_RANGE,
        CKR_KEY_TYPE_INCONSISTENT,
        CKR_ARGUMENTS_BAD,
        CKR_FUNCTION_CANCELED,
        CKR_KEY_FUNCTION_NOT_PERMITTED,
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i] == rv) {
            return true;
        }
    }
    return false;
}

static enum rung first_rung(CK_RV rv, int64_t elapsed_ms)
{
    enum recovery_rung rung = recovery_first_rung(rv, elapsed_ms);

    if (is_about_data(rv) || (rv == CKR_USER_NOT_LOGGED_IN && rung == RECOVERY_NONE)) {
        return RUNG_NONE;
    }
    return rung == RECOVERY_REINITIALIZE ? RUNG_RELOAD : RUNG_RELEASE;
}

/* Some modules do one operation a key at a time: from the first that says so on, one signs at a time. */
static void note_crowd(struct tie *tie, CK_RV rv)
{
    if (rv == CKR_OPERATION_ACTIVE || rv == CKR_OPERATION_NOT_INITIALIZED) {
        context_limit(tie->context, 1);
    }
}

/* *ret_need says whether a climb may help. A tie that is down is not tried: err is untouched then. */
static enum keystay_status try_work(
    struct tie *tie, tie_work work, void *context, struct need *ret_need, struct keystay_error *err)
{
    enum keystay_status status = KEYSTAY_E_MODULE;

    (void)pthread_rwlock_rdlock(context_gate(tie->context));
    *ret_need = (struct need){ RUNG_RAISE, false, context_generation(tie->context) };
    if (tie->hold.key != NULL) {
        context_take_place(tie->context);
        int64_t started_ms = clock_monotonic_ms();
        status = work(tie, context, err);
        int64_t elapsed_ms = clock_monotonic_ms() - started_ms;
        context_give_place(tie->context);
        ret_need->rung = status == KEYSTAY_E_MODULE || status == KEYSTAY_E_TOKEN_NOT_FOUND
                             ? first_rung((CK_RV)err->ck_rv, elapsed_ms)
                             : RUNG_NONE;
        ret_need->wants_pause = recovery_wants_pause((CK_RV)err->ck_rv);
        note_crowd(tie, (CK_RV)err->ck_rv);
    }
    (void)pthread_rwlock_unlock(context_gate(tie->context));
    return status;
}

static enum keystay_status climb_rung(
    struct tie *tie, enum rung rung, const struct secret *pin, struct keystay_error *err)
{
    log_step(tie->settled->settings.log, "%s: recovering, step %d", tie->where, (int)rung);
    if (rung == RUNG_RELOAD) {
        context_unload(tie->context, watch_of(tie));
    } else if (rung == RUNG_RELEASE) {
        context_release(tie->context, watch_of(tie));
    }
    return raise(tie, pin, err);
}

/* Rung by rung until one holds, with the gate held for writing. What takes others down is not done often. */
static enum keystay_status climb_rungs(
    struct tie *tie, enum rung rung, const struct secret *pin, struct keystay_error *err)
{
    enum keystay_status status = KEYSTAY_E_MODULE;

    for (; rung <= RUNG_RELOAD; rung++) {
        bool costs_others = rung > RUNG_RAISE && context_has_other_keys(tie->context, &tie->hold);
        bool is_limited = rung == RUNG_RELOAD || costs_others;
        if (is_limited && !context_may_climb(tie->context)) {
            break;
        }
        status = climb_rung(tie, rung, pin, err);
        if (is_limited) {
            context_note_climb(tie->context, status == KEYSTAY_OK || costs_others);
        }
        if (status == KEYSTAY_OK || err_is_about_pin(status)) {
            break;
        }
    }
    if (status != KEYSTAY_OK && !context_has_other_keys(tie->context, &tie->hold)) {
        context_release(tie->context, watch_of(tie)); /* the next climb begins with a look at the slots */
    }
    return status;
}

static enum keystay_status obtain_pin(struct tie *tie, struct secret *ret_pin, struct keystay_error *err)
{
    const struct p11_settings *settings = &tie->settled->settings;
    const struct pin_target target = { &tie->settled->token.info, tie->where, "", "C_Login (libp11)" };

    if (tie->pin.len > 0) {
        return secret_set(ret_pin, secret_slice(&tie->pin), err);
    }
    if (!pin_wants_login(&settings->pin, target.info->flags)) {
        return KEYSTAY_OK;
    }
    return pin_obtain(&settings->pin, &target, settings->log, ret_pin, err);
}

/* With climb_lock held. */
static enum keystay_status climb(struct tie *tie, const struct need *need, struct keystay_error *err)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };

    TRY(obtain_pin(tie, &pin, err));
    if (need->wants_pause) {
        recovery_wait_for_reader();
    }
    (void)pthread_rwlock_wrlock(context_gate(tie->context));
    /* Somebody else has let go of what failed: then ours is got from what they have now. */
    bool is_of_before = context_generation(tie->context) == need->generation;
    enum keystay_status status = climb_rungs(tie, is_of_before ? need->rung : RUNG_RAISE, &pin, err);
    (void)pthread_rwlock_unlock(context_gate(tie->context));
    if (err_is_about_pin(status) && pin_source_is_attended(&tie->settled->settings.pin.source)) {
        secret_clear(&tie->pin); /* a person who is asked again may know better */
    }
    settle_pin(tie, &pin, status);
    return status;
}

static bool is_up_again(struct tie *tie, const struct need *need)
{
    (void)pthread_rwlock_rdlock(context_gate(tie->context));
    bool is_up = tie->hold.key != NULL && context_generation(tie->context) != need->generation;
    (void)pthread_rwlock_unlock(context_gate(tie->context));
    return is_up;
}

/* With the work's own error, and the climb's where that says more: about the PIN, or because nothing was
 * tried. */
static enum keystay_status recover(struct tie *tie, const struct need *need, struct keystay_error *own)
{
    struct keystay_error error = { 0 };
    enum keystay_status status = KEYSTAY_OK;

    (void)pthread_mutex_lock(&tie->climb_lock);
    if (!is_up_again(tie, need)) {
        status = climb(tie, need, &error);
    }
    (void)pthread_mutex_unlock(&tie->climb_lock);
    if (status != KEYSTAY_OK && (err_is_about_pin(status) || own->status == KEYSTAY_OK)) {
        *own = error;
    }
    return status;
}

/* A context login that failed leaves an operation active in a session that libp11 will use again. */
static void let_go(struct tie *tie, const struct need *need)
{
    (void)pthread_rwlock_wrlock(context_gate(tie->context));
    if (context_generation(tie->context) == need->generation) {
        context_release(tie->context, watch_of(tie));
    }
    (void)pthread_rwlock_unlock(context_gate(tie->context));
}

/* What is got again may be let go of by others before it is used: that is no failure of ours. */
static enum keystay_status use(struct tie *tie, tie_work work, void *context, struct keystay_error *own)
{
    enum rung least = RUNG_RAISE;
    struct need need = { 0 };
    enum keystay_status status = try_work(tie, work, context, &need, own);

    for (int i = 0; status != KEYSTAY_OK && need.rung != RUNG_NONE && i < ROUNDS_MAX; i++) {
        bool was_tried = own->status != KEYSTAY_OK;
        need.rung = need.rung > least ? need.rung : least;
        if (need.rung > RUNG_RELOAD || recover(tie, &need, own) != KEYSTAY_OK) {
            break;
        }
        least = was_tried ? need.rung + 1 : least;
        *own = (struct keystay_error){ 0 };
        status = try_work(tie, work, context, &need, own);
    }
    if (status != KEYSTAY_OK && (need.rung != RUNG_NONE || err_is_about_pin(own->status))) {
        let_go(tie, &need);
    }
    if (status != KEYSTAY_OK && own->status == KEYSTAY_OK) {
        return err_set(
            own, KEYSTAY_E_MODULE, "%s: other signers on its module leave it no time to sign", tie->where);
    }
    return status == KEYSTAY_OK ? status : own->status;
}

enum keystay_status tie_use(struct tie *tie, tie_work work, void *context, struct keystay_error *err)
{
    struct keystay_error own = { 0 };

    if (!context_is_own(tie->context)) {
        return err_set_hint(
            err, KEYSTAY_E_MODULE, "open the signer after fork, in the process that uses it",
            "%s: the process was forked after the module was initialised", tie->where);
    }
    enum keystay_status status = use(tie, work, context, &own);
    if (status != KEYSTAY_OK && err != NULL) {
        *err = own;
    }
    return status;
}

/*
 * A tie_work. libp11 has no call that asks for the state of a session or a login: listing the private keys
 * tells whether the token is there and the session lives. A login that was lost is seen by the next signature
 * alone.
 */
static enum keystay_status ask(struct tie *tie, void *context, struct keystay_error *err)
{
    static pthread_mutex_t one_lists = PTHREAD_MUTEX_INITIALIZER; /* libp11 keeps the list in the slot */
    EVP_PKEY *key = NULL;

    (void)context;
    (void)pthread_mutex_lock(&one_lists);
    enum keystay_status status = look_for_key(tie->hold.slot, tie->settled, tie->where, &key, err);
    EVP_PKEY_free(key);
    (void)pthread_mutex_unlock(&one_lists);
    return status;
}

enum keystay_status tie_check(struct tie *tie, struct keystay_error *err)
{
    return tie_use(tie, ask, NULL, err);
}

enum keystay_status tie_kept_pin(struct tie *tie, struct secret *ret_pin, struct keystay_error *err)
{
    enum keystay_status status = KEYSTAY_OK;

    (void)pthread_mutex_lock(&tie->climb_lock);
    if (settle_may_reuse_pin(tie->settled) && tie->pin.len > 0) {
        status = secret_set(ret_pin, secret_slice(&tie->pin), err);
    }
    (void)pthread_mutex_unlock(&tie->climb_lock);
    return status;
}

void tie_lock(struct tie *tie)
{
    (void)pthread_mutex_lock(&tie->climb_lock);
    (void)pthread_rwlock_wrlock(context_gate(tie->context));
    if (context_is_own(tie->context)) {
        context_release(tie->context, watch_of(tie)); /* closing the last session is the logout */
    }
    secret_clear(&tie->pin);
    (void)pthread_rwlock_unlock(context_gate(tie->context));
    (void)pthread_mutex_unlock(&tie->climb_lock);
}
