/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_SIGN_H
#define PKCS11_CRYPTOKI_SIGN_H

/* One signature in one session: C_SignInit, the context login where the key wants it, C_Sign. */

#include <stdatomic.h>

#include "pkcs11/cryptoki/link.h"
#include "pkcs11/cryptoki/mechanism.h"

/*
 * Some modules do one operation a key at a time and answer CKR_OPERATION_ACTIVE to the second. The first such
 * answer turns it on: from then on one signs at a time, after those who are still at it (they hold the lock
 * for reading).
 */
struct sign_turnstile {
    atomic_bool is_on;
    pthread_rwlock_t lock;
};

/* What is signed with what. Borrowed. */
struct sign_job {
    const struct p11_key *key;
    CK_OBJECT_HANDLE handle; /* of the key, in this generation */
    const struct mechanism_list *mechanisms;
    struct mechanism_task task;
    struct sign_turnstile *turnstile;
    const struct pin_policy *policy; /* for an always-authenticate key */
    const struct pin_target *target;
    const struct secret *context_pin; /* got before: no session is held while a person is asked */
    bool *has_login_failed;           /* set when the token did not take the context PIN */
    const struct keystay_log *log;
};

/*
 * Appends the signature as the module gives it (for ECDSA that is JOSE's form). *ret_is_broken as in
 * link_work. A slow CKR_USER_NOT_LOGGED_IN is said to be a touch that did not come.
 */
enum keystay_status sign_in_session(
    const struct p11_session *session, const struct sign_job *job, struct buf *ret_signature,
    bool *ret_is_broken, struct keystay_error *err);

/* A C_Sign that took so long and ended with CKR_USER_NOT_LOGGED_IN waited for a touch; and that error. */
bool sign_was_slow(int64_t elapsed_ms);
enum keystay_status sign_not_touched(const char *where, struct keystay_error *err);

#endif
