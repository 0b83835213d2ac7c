/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/pin.h"

#include <string.h>

#include "base/error.h"
#include "pkcs11/latch.h"
#include "pkcs11/rv.h"

static const char hint_forget[] = "correct the PIN, or if it is right: keystay pin forget";

bool pin_wants_login(const struct pin_policy *policy, CK_FLAGS flags)
{
    switch (policy->login) {
    case PIN_LOGIN_ALWAYS:
        return true;
    case PIN_LOGIN_NEVER:
        return false;
    case PIN_LOGIN_AUTO:
        break;
    }
    return policy->is_configured || (flags & CKF_LOGIN_REQUIRED) != 0;
}

enum keystay_status pin_check_flags(
    const struct pin_policy *policy, CK_FLAGS flags, const char *where, struct keystay_error *err)
{
    if (flags & CKF_USER_PIN_LOCKED) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_LOCKED, "unlock it with its PUK or SO PIN, with the vendor's tool",
            "%s: the PIN is locked after too many wrong ones; it was not sent", where);
    }
    if ((flags & CKF_USER_PIN_FINAL_TRY) && !policy->final_try) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_REFUSED,
            "make sure of the PIN, then run once with --pin-final-try; a right PIN resets the counter",
            "%s: one more wrong PIN locks it; the PIN was not sent", where);
    }
    if ((flags & CKF_USER_PIN_COUNT_LOW) && !policy->count_low_try && !policy->final_try &&
        !pin_source_is_attended(&policy->source)) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_REFUSED,
            "make sure of the PIN and log in once by hand (--pin-source tty), or give --pin-count-low try",
            "%s: it has counted a wrong PIN; one that no person typed was not sent", where);
    }
    return KEYSTAY_OK;
}

/* A PIN that the token cannot accept is not worth one of its tries. */
enum keystay_status pin_check_form(
    const struct secret *pin, const CK_TOKEN_INFO *token, const char *where, struct keystay_error *err)
{
    CK_ULONG least = token->ulMinPinLen;
    CK_ULONG most = token->ulMaxPinLen;

    if (pin->len == 0) {
        return err_set(err, KEYSTAY_E_PIN_SOURCE, "%s: the PIN is empty; it was not sent", where);
    }
    if (memchr(pin->data, '\n', pin->len) != NULL || memchr(pin->data, '\0', pin->len) != NULL) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_SOURCE, "the PIN must stand alone, on one line",
            "%s: what should be the PIN has more than one line; it was not sent", where);
    }
    /* Modules that do not know their limits answer 0 or nonsense. */
    if (most > 0 && most != CK_UNAVAILABLE_INFORMATION && least <= most &&
        (pin->len < least || pin->len > most)) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_REFUSED, "is it the PIN of this token?",
            "%s: its PINs have %lu to %lu bytes, this one does not; it was not sent", where, least, most);
    }
    return KEYSTAY_OK;
}

/* What the latch remembers of this token. info was read afresh: after a refusal the flags have changed. */
static enum keystay_status check_latch(
    const struct latch *latch, const CK_TOKEN_INFO *info, const struct secret *pin, const char *where,
    struct keystay_error *err)
{
    bool is_same = false;

    if (latch->state == LATCH_TRYING && (info->flags & CKF_USER_PIN_COUNT_LOW) != 0) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_REFUSED, hint_forget,
            "%s: an earlier try of its PIN ended without a word, and it counts a wrong one; the PIN was not sent",
            where);
    }
    if (latch->state == LATCH_REJECTED) {
        TRY(latch_is_same_pin(latch, pin, &is_same, err));
    }
    if (is_same) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_REFUSED, hint_forget, "%s: this PIN was refused before; it was not sent again",
            where);
    }
    return KEYSTAY_OK;
}

static bool is_wrong_pin(CK_RV rv)
{
    return rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE;
}

/*
 * Writes down how the try ended. A PIN that was refused is remembered, one that was taken forgets all;
 * anything else leaves "trying": a device that failed, or answers with a code of its vendor's own, may have
 * counted.
 */
static enum keystay_status settle_latch(
    struct latch *latch, CK_RV rv, const struct secret *pin, struct keystay_error *err)
{
    if (is_wrong_pin(rv)) {
        return latch_set_rejected(latch, pin, err);
    }
    return rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN ? latch_erase(latch, err) : KEYSTAY_OK;
}

/* The flags first: "locked" says more than "refused before". */
static enum keystay_status check_may_send(
    const struct pin_policy *policy, const struct pin_target *target, const struct pin_ops *ops,
    const struct latch *latch, const struct secret *pin, struct keystay_error *err)
{
    CK_TOKEN_INFO info = *target->info;

    /* With a clear latch nobody of ours has tried since the token was looked at; else its flags may have
     * changed. */
    if (latch->state != LATCH_CLEAR) {
        CK_RV rv = ops->read_info(ops->context, &info);
        if (rv != CKR_OK) {
            return rv_error(rv, "C_GetTokenInfo", target->where, err);
        }
    }
    if (info.flags & (CKF_USER_PIN_LOCKED | CKF_USER_PIN_FINAL_TRY)) {
        TRY(pin_check_flags(policy, info.flags, target->where, err));
    }
    TRY(check_latch(latch, &info, pin, target->where, err));
    return pin_check_flags(policy, info.flags, target->where, err);
}

static enum keystay_status send_under_latch(
    const struct pin_policy *policy, const struct pin_target *target, const struct pin_ops *ops,
    const struct secret *pin, struct keystay_error *err)
{
    CLEANUP(latch_close) struct latch latch = LATCH_NONE;
    struct keystay_error settle_error = { 0 };

    TRY(latch_open(target->info, policy->state_dir, &latch, err));
    TRY(check_may_send(policy, target, ops, &latch, pin, err));
    TRY(latch_set_trying(&latch, err));
    CK_RV rv = ops->send(ops->context, pin);
    enum keystay_status settled = settle_latch(&latch, rv, pin, &settle_error);
    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN) {
        return settled == KEYSTAY_OK ? settled : err_set(err, settled, "%s", settle_error.message);
    }
    enum keystay_status status = rv_error(rv, target->call, target->where, err);
    if (settled != KEYSTAY_OK) {
        err_append(err, "; and this could not be written down: %s", settle_error.message);
    }
    return status;
}

static enum keystay_status log_in_at_pad(
    const struct pin_target *target, const struct pin_ops *ops, const struct keystay_log *log,
    struct keystay_error *err)
{
    log_warning(log, "%s: enter the PIN on its PIN pad", target->where);
    CK_RV rv = ops->send(ops->context, NULL);
    return rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN ? KEYSTAY_OK
                                                            : rv_error(rv, target->call, target->where, err);
}

/* PKCS #11 v3.0 §5.6.8: with a protected authentication path the PIN is NULL and the token asks for it. */
static bool uses_pad(const struct pin_policy *policy, CK_FLAGS flags)
{
    return policy->source.kind == PIN_SOURCE_NONE ||
           (!policy->is_configured && (flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0);
}

/* The latch is looked at for people alone: a PIN that no person gives is judged when it is sent. */
static unsigned int tries_of(const struct pin_policy *policy, const CK_TOKEN_INFO *info)
{
    const bool may_be_for_a_person =
        policy->source.kind == PIN_SOURCE_PEER || pin_source_is_attended(&policy->source);
    unsigned int tries = 0;

    tries |= info->flags & CKF_USER_PIN_COUNT_LOW ? KEYSTAY_PIN_COUNT_LOW : 0U;
    tries |= info->flags & CKF_USER_PIN_FINAL_TRY ? KEYSTAY_PIN_FINAL_TRY : 0U;
    if (may_be_for_a_person && latch_peek(info, policy->state_dir) == LATCH_REJECTED) {
        tries |= KEYSTAY_PIN_WAS_REFUSED;
    }
    return tries;
}

enum keystay_status pin_obtain(
    const struct pin_policy *policy, const struct pin_target *target, const struct keystay_log *log,
    struct secret *ret_pin, struct keystay_error *err)
{
    struct pin_question question = { target->where, target->purpose, policy->timeout_ms, 0 };
    CLEANUP(secret_clear) struct secret pin = { 0 };

    TRY(pin_check_flags(policy, target->info->flags, target->where, err));
    if (uses_pad(policy, target->info->flags)) {
        return KEYSTAY_OK;
    }
    question.tries = tries_of(policy, target->info);
    TRY(pin_source_get(&policy->source, &question, log, &pin, err));
    TRY(pin_check_form(&pin, target->info, target->where, err));
    secret_move(ret_pin, &pin);
    return KEYSTAY_OK;
}

enum keystay_status pin_send(
    const struct pin_policy *policy, const struct pin_target *target, const struct pin_ops *ops,
    const struct secret *pin, const struct keystay_log *log, struct keystay_error *err)
{
    TRY(pin_check_flags(policy, target->info->flags, target->where, err));
    if (uses_pad(policy, target->info->flags)) {
        return log_in_at_pad(target, ops, log, err);
    }
    return send_under_latch(policy, target, ops, pin, err);
}

enum keystay_status pin_note_try(
    const struct pin_policy *policy, const struct pin_target *target, struct keystay_error *err)
{
    CLEANUP(latch_close) struct latch latch = LATCH_NONE;

    if (uses_pad(policy, target->info->flags)) {
        return KEYSTAY_OK;
    }
    TRY(latch_open(target->info, policy->state_dir, &latch, err));
    return latch.state == LATCH_CLEAR ? latch_set_trying(&latch, err) : KEYSTAY_OK;
}

bool pin_must_keep(const struct pin_policy *policy)
{
    return policy->keep || policy->reuse || !pin_source_is_repeatable(&policy->source);
}
