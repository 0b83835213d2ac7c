/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_LIBP11_QUEUE_H
#define PKCS11_LIBP11_QUEUE_H

/*
 * How libp11 tells of a failure: in OpenSSL's error queue of the thread, where a reason of its own error
 * library is a CK_RV less its upper bits. A code of a vendor's own (0x80000000 and up) looks like one of the
 * standard's there, or like none: what libp11 reports as CKR_PIN_INCORRECT may have been 0x800000A0. Nothing
 * outside libp11 can tell the two apart.
 */

#include <p11-kit/pkcs11.h>

#include "base/base.h"

/*
 * Empties the thread's queue. What the module answered: the code about a PIN if there is one, since libp11
 * tries another mechanism after it, else the last. CKR_OK when libp11 did not say.
 */
CK_RV queue_take(void);

/* Words a failed call as rv_error does. err->ck_rv is 0 when libp11 did not say what the module answered. */
enum keystay_status queue_error(CK_RV rv, const char *call, const char *where, struct keystay_error *err);

#endif
