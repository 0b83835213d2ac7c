/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_RECOVERY_H
#define PKCS11_CRYPTOKI_RECOVERY_H

#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stdint.h>

/* The rungs of the ladder that leads back to a working token, each dearer than the one before. */
enum recovery_rung {
    RECOVERY_NONE,         /* trying again would not help, or would cost a PIN try */
    RECOVERY_SESSION,      /* new sessions, log in again */
    RECOVERY_RESCAN,       /* have the module look at its readers, find the token again */
    RECOVERY_REINITIALIZE, /* finalise the module and initialise it anew */
};

/*
 * Where to begin after a call answered rv, elapsed_ms after it was made. CKR_USER_NOT_LOGGED_IN within a
 * second is a login that another program took away; later it is a touch that did not come.
 * CKR_FUNCTION_NOT_SUPPORTED is Yubico's module (2.7) on a card where another program chose another
 * application.
 */
enum recovery_rung recovery_first_rung(CK_RV rv, int64_t elapsed_ms);

/*
 * Whether a moment's pause comes before the readers are looked at: OpenSC answers CKR_GENERAL_ERROR when a
 * card is pulled out in the middle of a call, and hangs in C_Login when it is asked before the reader service
 * has noticed.
 */
bool recovery_wants_pause(CK_RV rv);

/* That pause, and the one after which a token that was being written when it was looked for is there again.
 */
void recovery_wait_for_reader(void);
void recovery_wait_for_token(void);

#endif
