/* SPDX-License-Identifier: Apache-2.0 */
#include "signerd/engines.h"

#include "base/error.h"
#include "base/str.h"
#include "pkcs11/libp11/libp11.h"

static const struct p11_engine *const engines[] = { &cryptoki_engine, &libp11_engine };

enum keystay_status engines_find(
    const char *name, const struct p11_engine **ret_engine, struct keystay_error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
        if (name == NULL || str_equal(name, engines[i]->name)) {
            *ret_engine = engines[i];
            return KEYSTAY_OK;
        }
    }
    return err_set_hint(
        err, KEYSTAY_E_CONFIG, "leave --engine out", "this keystay was built without the engine '%s'", name);
}
