/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_LOGIN_H
#define PKCS11_CRYPTOKI_LOGIN_H

/* The user's login to a token, in one session for all of them. The PIN rule is pkcs11/pin's. */

#include "pkcs11/choose.h"
#include "pkcs11/cryptoki/module.h"
#include "pkcs11/settings.h"

/* Everything borrowed. */
struct login_job {
    struct p11_module *module;
    const struct p11_token *token;
    const char *where;
    const struct p11_settings *settings;
    struct secret
        *kept_pin; /* sent instead of asking, when there is one; filled in when the policy keeps it */
};

/* Whether only a person can give the PIN: then login_user must not ask for it while a lock is held. */
bool login_wants_person(const struct login_job *job);

/* Asks the person, for the login_user that follows. No lock may be held that others need. */
enum keystay_status login_ask(const struct login_job *job, struct secret *ret_pin, struct keystay_error *err);

/* What there is to know beside the status. */
struct login_outcome {
    bool wants_person; /* nothing was sent: a person must be asked for the PIN, and may not be now */
    bool was_sent;     /* the PIN went to the token */
};

/*
 * Logs in where the policy wants it and nobody else of this process has done so. may_ask false: a person is
 * not asked (KEYSTAY_E_PIN_SOURCE with wants_person, where one must be). *ret_outcome is always written.
 */
enum keystay_status login_user(
    const struct login_job *job, CK_SESSION_HANDLE session, bool may_ask, struct login_outcome *ret_outcome,
    struct keystay_error *err);

#endif
