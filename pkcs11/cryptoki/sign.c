/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/sign.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "pkcs11/rv.h"
#include "signer/signer.h"

enum { NOT_TOUCHED_AFTER_MS = 1000 };

struct login_call {
    const struct p11_session *session;
};

/* PKCS #11 v3.0 §5.6.8: CKU_CONTEXT_SPECIFIC, between C_SignInit and C_Sign. */
static CK_RV send_context_pin(void *context, const struct secret *pin)
{
    const struct p11_session *session = ((const struct login_call *)context)->session;
    CK_UTF8CHAR *bytes = pin == NULL ? NULL : (CK_UTF8CHAR *)pin->data;

    return P11(
        session->module, C_Login, session->handle, CKU_CONTEXT_SPECIFIC, bytes,
        pin == NULL ? 0 : (CK_ULONG)pin->len);
}

static CK_RV read_info(void *context, CK_TOKEN_INFO *ret_info)
{
    const struct p11_session *session = ((const struct login_call *)context)->session;

    return P11(session->module, C_GetTokenInfo, session->slot, ret_info);
}

static enum keystay_status context_login(
    const struct p11_session *session, const struct sign_job *job, struct keystay_error *err)
{
    struct login_call call = { session };
    const struct pin_ops ops = { send_context_pin, read_info, &call };

    return pin_send(job->policy, job->target, &ops, job->context_pin, job->log, err);
}

/* A module that lists a mechanism may still not do it with this key: the next one may work. */
static bool is_about_mechanism(CK_RV rv)
{
    return rv == CKR_MECHANISM_INVALID || rv == CKR_MECHANISM_PARAM_INVALID ||
           rv == CKR_KEY_TYPE_INCONSISTENT || rv == CKR_FUNCTION_NOT_SUPPORTED;
}

/* C_SignInit with the best mechanism that the module accepts. */
static enum keystay_status begin(
    const struct p11_session *session, const struct sign_job *job, struct mechanism_call *call, CK_RV *ret_rv,
    struct keystay_error *err)
{
    CK_RV rv = CKR_MECHANISM_INVALID;

    for (size_t nth = 0; is_about_mechanism(rv); nth++) {
        mechanism_call_clear(call);
        enum keystay_status status = mechanism_prepare(job->mechanisms, &job->task, nth, call, err);
        if (status != KEYSTAY_OK) {
            return nth == 0 ? status : rv_error(rv, "C_SignInit", session->where, err);
        }
        rv = P11(session->module, C_SignInit, session->handle, &call->mechanism, job->handle);
    }
    *ret_rv = rv;
    return KEYSTAY_OK;
}

bool sign_was_slow(int64_t elapsed_ms)
{
    return elapsed_ms >= NOT_TOUCHED_AFTER_MS;
}

enum keystay_status sign_not_touched(const char *where, struct keystay_error *err)
{
    (void)err_set_hint(
        err, KEYSTAY_E_MODULE, "run it again and touch the key when it blinks",
        "%s: the key was not touched in time (CKR_USER_NOT_LOGGED_IN, 0x101)", where);
    if (err != NULL) {
        err->ck_rv = CKR_USER_NOT_LOGGED_IN;
    }
    return KEYSTAY_E_MODULE;
}

/* Yubico's module (2.7) sends a card that was put back the PIN that it keeps. */
static enum keystay_status sign_failed(
    const struct p11_session *session, const struct sign_job *job, CK_RV rv, struct keystay_error *err)
{
    enum keystay_status status = rv_error(rv, "C_Sign", session->where, err);
    struct keystay_error note_error = { 0 };

    if (rv == CKR_PIN_INCORRECT && pin_note_try(job->policy, job->target, &note_error) != KEYSTAY_OK) {
        err_append(err, "; and this could not be written down: %s", note_error.message);
    }
    return status;
}

static enum keystay_status finish(
    const struct p11_session *session, const struct sign_job *job, const struct mechanism_call *call,
    struct buf *ret_signature, struct keystay_error *err)
{
    uint8_t signature[SIGNER_SIGNATURE_MAX] = { 0 };
    CK_ULONG len = sizeof(signature);
    int64_t started_ms = clock_monotonic_ms();
    CK_RV rv =
        P11(session->module, C_Sign, session->handle, call->input.data, (CK_ULONG)call->input.len, signature,
            &len);

    if (rv == CKR_USER_NOT_LOGGED_IN && sign_was_slow(clock_monotonic_ms() - started_ms)) {
        return sign_not_touched(session->where, err);
    }
    if (rv != CKR_OK) {
        return sign_failed(session, job, rv, err);
    }
    if (len > sizeof(signature)) {
        return err_set_hint(
            err, KEYSTAY_E_MODULE, "the module is faulty: is there a newer one, or another for this token?",
            "%s: C_Sign claims a signature of %lu bytes", session->where, len);
    }
    return buf_put(ret_signature, (struct slice){ signature, len }, err);
}

static enum keystay_status sign_once(
    const struct p11_session *session, const struct sign_job *job, struct buf *ret_signature,
    CK_RV *ret_init_rv, bool *ret_is_broken, struct keystay_error *err)
{
    CLEANUP(mechanism_call_clear) struct mechanism_call call = { 0 };

    TRY(begin(session, job, &call, ret_init_rv, err));
    if (*ret_init_rv != CKR_OK) {
        return rv_error(*ret_init_rv, "C_SignInit", session->where, err);
    }
    if (job->key->always_authenticate) {
        enum keystay_status status = context_login(session, job, err);
        *ret_is_broken =
            status != KEYSTAY_OK; /* the operation stays active, and nothing but closing ends it */
        *job->has_login_failed = status != KEYSTAY_OK;
        TRY(status);
    }
    enum keystay_status status = finish(session, job, &call, ret_signature, err);
    *ret_is_broken = status != KEYSTAY_OK;
    TRY(status);
    log_step(
        job->log, "%s: signed %s with mechanism 0x%lX", session->where, job->task.alg->name,
        call.mechanism.mechanism);
    return KEYSTAY_OK;
}

/* Beside others, unless the turnstile is on. *ret_is_settled is false when it must be done alone. */
static enum keystay_status sign_beside_others(
    const struct p11_session *session, const struct sign_job *job, struct buf *ret_signature,
    bool *ret_is_broken, bool *ret_is_settled, struct keystay_error *err)
{
    CK_RV init_rv = CKR_OK;
    struct keystay_error own = { 0 };
    enum keystay_status status = KEYSTAY_OK;

    (void)pthread_rwlock_rdlock(&job->turnstile->lock);
    bool is_on = atomic_load(&job->turnstile->is_on);
    if (!is_on) {
        status = sign_once(session, job, ret_signature, &init_rv, ret_is_broken, &own);
    }
    (void)pthread_rwlock_unlock(&job->turnstile->lock);
    /* The second code is what the one gets whose operation another thread's took the place of. */
    bool has_met = status != KEYSTAY_OK &&
                   (init_rv == CKR_OPERATION_ACTIVE || own.ck_rv == CKR_OPERATION_NOT_INITIALIZED);
    if (has_met) {
        atomic_store(&job->turnstile->is_on, true);
        *ret_is_broken = false; /* the operation is over, one way or the other */
    }
    *ret_is_settled = !is_on && !has_met;
    if (*ret_is_settled && status != KEYSTAY_OK && err != NULL) {
        *err = own;
    }
    return status;
}

enum keystay_status sign_in_session(
    const struct p11_session *session, const struct sign_job *job, struct buf *ret_signature,
    bool *ret_is_broken, struct keystay_error *err)
{
    CK_RV init_rv = CKR_OK;
    bool is_settled = false;
    enum keystay_status status =
        sign_beside_others(session, job, ret_signature, ret_is_broken, &is_settled, err);

    if (is_settled) {
        return status;
    }
    (void)pthread_rwlock_wrlock(&job->turnstile->lock);
    status = sign_once(session, job, ret_signature, &init_rv, ret_is_broken, err);
    (void)pthread_rwlock_unlock(&job->turnstile->lock);
    *ret_is_broken = *ret_is_broken || init_rv == CKR_OPERATION_ACTIVE;
    return status;
}
