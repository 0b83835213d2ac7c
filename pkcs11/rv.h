/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_RV_H
#define PKCS11_RV_H

/* What a module answers, in words (PKCS #11 v3.0 §5.1). One table has name, status and advice. */

#include <p11-kit/pkcs11.h>

#include "base/base.h"

/* "CKR_DEVICE_REMOVED", or NULL for a value that the standard does not name. */
const char *rv_name(CK_RV rv);

/*
 * Words a failed call: "token 'backup': C_Login failed: CKR_PIN_INCORRECT (0xA0)". where may be NULL. The
 * status is that of the table's row: PIN trouble is KEYSTAY_E_PIN_*, most else KEYSTAY_E_MODULE; err->ck_rv
 * is the value, unmasked.
 */
enum keystay_status rv_error(CK_RV rv, const char *call, const char *where, struct keystay_error *err);

#endif
