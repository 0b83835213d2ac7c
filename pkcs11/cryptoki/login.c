/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/login.h"

#include "base/error.h"
#include "pkcs11/rv.h"

enum keystay_status login_user(
    const struct p11_session *session, const struct p11_token *token, const struct pin_source *source,
    bool final_try, const struct keystay_log *log, struct keystay_error *err)
{
    static const struct pin_source ask = { .kind = PIN_SOURCE_TTY, .fd = -1 };
    CLEANUP(secret_clear) struct secret pin = { 0 };

    if (source == NULL && (token->info.flags & CKF_LOGIN_REQUIRED) == 0) {
        return KEYSTAY_OK;
    }
    TRY(pin_check_flags(token->info.flags, final_try, session->where, err));
    TRY(pin_read(source == NULL ? &ask : source, &token->info, session->where, log, &pin, err));
    CK_RV rv =
        P11(session->module, C_Login, session->handle, CKU_USER, (CK_UTF8CHAR *)pin.data, (CK_ULONG)pin.len);
    if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN) {
        return rv_error(rv, "C_Login", session->where, err);
    }
    return KEYSTAY_OK;
}
