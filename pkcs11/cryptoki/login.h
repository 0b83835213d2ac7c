/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_LOGIN_H
#define PKCS11_CRYPTOKI_LOGIN_H

#include "pkcs11/choose.h"
#include "pkcs11/cryptoki/object.h"
#include "pkcs11/pin.h"

/*
 * Logs the session's token in as its user, with one try, if the token wants that or a source was configured
 * (source is NULL otherwise: then a person is asked). "Already logged in" is success. KEYSTAY_E_PIN_*.
 */
enum keystay_status login_user(
    const struct p11_session *session, const struct p11_token *token, const struct pin_source *source,
    bool final_try, const struct keystay_log *log, struct keystay_error *err);

#endif
