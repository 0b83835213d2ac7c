/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/libp11/queue.h"

#include <libp11.h>
#include <openssl/err.h>

#include "base/error.h"
#include "pkcs11/rv.h"

CK_RV queue_take(void)
{
    CK_RV rv = CKR_OK;
    bool is_settled = false;

    for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
        if (ERR_GET_LIB(code) == ERR_LIB_PKCS11 && !is_settled) {
            rv = (CK_RV)ERR_GET_REASON(code);
            is_settled = err_is_about_pin(rv_error(rv, "", NULL, NULL));
        }
    }
    return rv;
}

enum keystay_status queue_error(CK_RV rv, const char *call, const char *where, struct keystay_error *err)
{
    if (rv != CKR_OK) {
        return rv_error(rv, call, where, err);
    }
    return err_set(
        err, KEYSTAY_E_MODULE, "%s: %s failed, and libp11 does not say what the module answered", where,
        call);
}
