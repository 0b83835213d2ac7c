/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/login.h"

#include "base/error.h"

/* What pin_send needs to call back with. */
struct login_call {
    const struct login_job *job;
    CK_SESSION_HANDLE session;
    bool *was_sent;
};

static CK_RV send_pin(void *context, const struct secret *pin)
{
    const struct login_call *call = context;
    *call->was_sent = true;
    CK_UTF8CHAR *bytes = pin == NULL ? NULL : (CK_UTF8CHAR *)pin->data;

    return P11(
        call->job->module, C_Login, call->session, CKU_USER, bytes, pin == NULL ? 0 : (CK_ULONG)pin->len);
}

static CK_RV read_info(void *context, CK_TOKEN_INFO *ret_info)
{
    const struct login_call *call = context;

    return P11(call->job->module, C_GetTokenInfo, call->job->token->slot, ret_info);
}

/* Another signer of this process may have logged in already; asking costs a call, so only when there is one.
 */
static bool is_logged_in(const struct login_job *job, CK_SESSION_HANDLE session)
{
    CK_SESSION_INFO info = { 0 };

    return module_has_other_users(job->module) &&
           P11(job->module, C_GetSessionInfo, session, &info) == CKR_OK &&
           (info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS);
}

static struct pin_target target_of(const struct login_job *job)
{
    return (struct pin_target){ &job->token->info, job->where, "", "C_Login" };
}

bool login_wants_person(const struct login_job *job)
{
    return job->kept_pin->len == 0 && pin_source_is_attended(&job->settings->pin.source);
}

enum keystay_status login_ask(const struct login_job *job, struct secret *ret_pin, struct keystay_error *err)
{
    const struct pin_target target = target_of(job);

    return pin_obtain(&job->settings->pin, &target, job->settings->log, ret_pin, err);
}

enum keystay_status login_user(
    const struct login_job *job, CK_SESSION_HANDLE session, bool may_ask, struct login_outcome *ret_outcome,
    struct keystay_error *err)
{
    const struct pin_policy *policy = &job->settings->pin;
    const struct pin_target target = target_of(job);
    struct login_call call = { job, session, &ret_outcome->was_sent };
    const struct pin_ops ops = { send_pin, read_info, &call };
    CLEANUP(secret_clear) struct secret fresh = { 0 };
    bool is_kept = job->kept_pin->len > 0;

    *ret_outcome = (struct login_outcome){ 0 };
    if (!pin_wants_login(policy, job->token->info.flags) || is_logged_in(job, session)) {
        return KEYSTAY_OK;
    }
    if (!may_ask && login_wants_person(job)) {
        ret_outcome->wants_person = true;
        return err_set(err, KEYSTAY_E_PIN_SOURCE, "%s: a person must give the PIN again", job->where);
    }
    if (!is_kept) {
        TRY(pin_obtain(policy, &target, job->settings->log, &fresh, err));
    }
    enum keystay_status status =
        pin_send(policy, &target, &ops, is_kept ? job->kept_pin : &fresh, job->settings->log, err);
    if (is_kept && err_is_about_pin(status) && pin_source_is_attended(&policy->source)) {
        secret_clear(job->kept_pin); /* a person who is asked again may know better */
    }
    TRY(status);
    if (fresh.len > 0 && pin_must_keep(policy)) {
        secret_move(job->kept_pin, &fresh);
    }
    return KEYSTAY_OK;
}
