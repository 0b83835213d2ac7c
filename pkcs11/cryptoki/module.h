/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_MODULE_H
#define PKCS11_CRYPTOKI_MODULE_H

/*
 * A vendor's module, loaded and initialised. Every call into it goes through P11(), so that the watch always
 * knows which call does not return. All signers of a process that use the same module share one
 * initialisation.
 */

#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/base.h"
#include "keystay/pkcs11.h"

struct module_shared; /* what users of the same function list have in common */

struct p11_module {
    CK_FUNCTION_LIST *list; /* the module's own memory; NULL when closed */
    const struct keystay_call_watch *watch;
    struct module_shared *shared;
};

/* P11(module, C_Login, session, ...): the call, announced to the watch. */
#define P11(module, function, ...) \
    (module_enter((module), #function), module_leave((module), (module)->list->function(__VA_ARGS__)))

void module_enter(const struct p11_module *module, const char *call);
CK_RV module_leave(const struct p11_module *module, CK_RV rv);

/*
 * Loads the module and initialises it for use by several threads. name is a path with a '/', or what
 * p11-kit's registry calls a module. args becomes pReserved. KEYSTAY_E_MODULE_LOAD when it is no module. The
 * file stays mapped for the life of the process: modules leave threads and exit handlers behind, and
 * unmapping them crashes later.
 */
enum keystay_status module_open(
    const char *name, const char *args, const struct keystay_call_watch *watch, struct p11_module *ret_module,
    struct keystay_error *err);

/* The last user's call is C_Finalize: it closes all sessions and logs out. */
void module_close(struct p11_module *module);

/* For CLEANUP. */
void module_closep(struct p11_module *module);

/* The gate of a module: held for reading while it is used, for writing while it is put in order again. */
pthread_rwlock_t *module_gate(const struct p11_module *module);

/* More than one user: a login may be theirs. */
bool module_has_other_users(const struct p11_module *module);

/* The module wanted to be called by one thread at a time (CKR_CANT_LOCK). */
bool module_is_single_threaded(const struct p11_module *module);

/* False in a child of the process that initialised it: there the module must not be used, nor finalised. */
bool module_is_own(const struct p11_module *module);

/*
 * C_Finalize and C_Initialize, with the gate held for writing: all sessions of all users are gone, which they
 * see by the epoch.
 */
enum keystay_status module_reinitialize(struct p11_module *module, struct keystay_error *err);

/*
 * The same where nobody else uses it, in keystay or beside it; nobody begins to until it is done. Elsewhere
 * it does nothing. Not with the gate held.
 */
enum keystay_status module_reinitialize_if_alone(struct p11_module *module, struct keystay_error *err);

/* How often the module was initialised anew; read with the gate held. */
unsigned int module_epoch(const struct p11_module *module);

/*
 * Whether it may be initialised anew, with the gate held for writing. That takes everybody's sessions down:
 * after one that held, the next is half a minute away. After one that did not there are none left to protect,
 * so the wait begins at a second and doubles.
 */
bool module_may_reinitialize(const struct p11_module *module);
void module_note_reinitialized(struct p11_module *module, bool has_held);

#endif
