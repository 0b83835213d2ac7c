/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_MODULE_H
#define PKCS11_CRYPTOKI_MODULE_H

/*
 * A vendor's module, loaded and initialised. Every call into it goes through P11(), so that the watch always
 * knows which call does not return.
 */

#include <p11-kit/pkcs11.h>
#include <stdbool.h>

#include "base/base.h"
#include "keystay/pkcs11.h"

struct p11_module {
    CK_FUNCTION_LIST *list; /* the module's own memory */
    const struct keystay_call_watch *watch;
    bool must_finalize; /* we initialised it, nobody else did before us */
};

/* P11(module, C_Login, session, ...): the call, announced to the watch. */
#define P11(module, function, ...) \
    (module_enter((module), #function), module_leave((module), (module)->list->function(__VA_ARGS__)))

void module_enter(const struct p11_module *module, const char *call);
CK_RV module_leave(const struct p11_module *module, CK_RV rv);

/*
 * Loads the file at path, which must contain a '/', and initialises it for use by several threads. args
 * becomes pReserved. KEYSTAY_E_MODULE_LOAD when it is no module. The file stays mapped for the life of the
 * process: modules leave threads and exit handlers behind, and unmapping them crashes later.
 */
enum keystay_status module_open(
    const char *path, const char *args, const struct keystay_call_watch *watch, struct p11_module *ret_module,
    struct keystay_error *err);

/* C_Finalize: closes all sessions and logs out. */
void module_close(struct p11_module *module);

#endif
