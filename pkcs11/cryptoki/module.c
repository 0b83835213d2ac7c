/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/module.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "pkcs11/gate.h"
#include "pkcs11/module_file.h"
#include "pkcs11/rv.h"

enum { REINITIALIZE_EVERY_MS = 30000, FAILED_WAIT_MS = 1000 };

struct module_shared {
    struct module_shared *next;
    CK_FUNCTION_LIST *list;
    char *path;
    char *args; /* NULL: none */
    size_t n_users;
    pid_t pid;          /* of the process that initialised it */
    bool must_finalize; /* we initialised it, nobody else did before us */
    bool is_single_threaded;
    unsigned int epoch;          /* of the initialisation */
    int64_t reinitialized_at_ms; /* 0: never */
    int64_t wait_ms;             /* from then until it may be done again */
    pthread_rwlock_t gate;
};

/* All modules that are in use, and the lock over the list and the counts. */
static struct module_shared *all_shared;
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;

static const char hint_path[] =
    "SoftHSM: .../softhsm/libsofthsm2.so; cards: .../opensc-pkcs11.so or .../libykcs11.so";

void module_enter(const struct p11_module *module, const char *call)
{
    if (module->watch != NULL && module->watch->enter != NULL) {
        module->watch->enter(module->watch->context, call);
    }
}

CK_RV module_leave(const struct p11_module *module, CK_RV rv)
{
    if (module->watch != NULL && module->watch->leave != NULL) {
        module->watch->leave(module->watch->context);
    }
    return rv;
}

/* dlerror's text names the path again in most cases; it is the linker's own and worth showing. */
static enum keystay_status load(
    const char *path, const struct p11_module *module, CK_C_GetFunctionList *ret_entry,
    struct keystay_error *err)
{
    module_enter(module, "dlopen");
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    (void)module_leave(module, CKR_OK);
    if (handle == NULL) {
        const char *reason = dlerror();
        return err_set_hint(
            err, KEYSTAY_E_MODULE_LOAD, "give --module the shared library of the token's vendor",
            "module '%s' cannot be loaded: %s", path, reason == NULL ? "no reason given" : reason);
    }
    void *symbol = dlsym(handle, "C_GetFunctionList");
    if (symbol == NULL) {
        (void)dlclose(handle);
        return err_set_hint(
            err, KEYSTAY_E_MODULE_LOAD, hint_path,
            "'%s' is a library, but not a PKCS#11 module: it has no C_GetFunctionList", path);
    }
    memcpy(ret_entry, &symbol, sizeof(symbol)); /* ISO C has no cast from object to function pointer */
    return KEYSTAY_OK;
}

/* The functions that an engine calls without asking again; a list may have holes. */
static bool has_functions(const CK_FUNCTION_LIST *list)
{
    return list->version.major >= 2 && list->C_Initialize != NULL && list->C_Finalize != NULL &&
           list->C_GetInfo != NULL && list->C_GetSlotList != NULL && list->C_GetSlotInfo != NULL &&
           list->C_GetTokenInfo != NULL && list->C_GetMechanismList != NULL && list->C_OpenSession != NULL &&
           list->C_CloseSession != NULL && list->C_CloseAllSessions != NULL &&
           list->C_GetSessionInfo != NULL && list->C_Login != NULL && list->C_Logout != NULL &&
           list->C_GetAttributeValue != NULL && list->C_FindObjectsInit != NULL &&
           list->C_FindObjects != NULL && list->C_FindObjectsFinal != NULL && list->C_SignInit != NULL &&
           list->C_Sign != NULL;
}

static enum keystay_status initialize(
    const struct p11_module *module, struct module_shared *shared, struct keystay_error *err)
{
    CK_C_INITIALIZE_ARGS init = { .flags = CKF_OS_LOCKING_OK, .pReserved = shared->args };
    CK_RV rv = P11(module, C_Initialize, &init);

    shared->is_single_threaded = rv == CKR_CANT_LOCK;
    if (rv == CKR_CANT_LOCK) {
        /* PKCS #11 v3.0 §5.4: then it must not be called by two threads at once. */
        rv = P11(module, C_Initialize, NULL);
    }
    /* One of ours that could not be finalised is still ours. */
    shared->must_finalize = rv == CKR_OK || (rv == CKR_CRYPTOKI_ALREADY_INITIALIZED && shared->must_finalize);
    shared->pid = getpid();
    if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
        return rv_error(rv, "C_Initialize", shared->path, err);
    }
    return KEYSTAY_OK;
}

static void shared_freep(struct module_shared **shared)
{
    if (*shared != NULL) {
        (void)pthread_rwlock_destroy(&(*shared)->gate);
        free((*shared)->path);
        free((*shared)->args);
        free(*shared);
    }
}

/* NULL when memory is out. */
static struct module_shared *shared_new(const char *path, const char *args, CK_FUNCTION_LIST *list)
{
    CLEANUP(shared_freep) struct module_shared *shared = calloc(1, sizeof(*shared));

    if (shared == NULL) {
        return NULL;
    }
    gate_init(&shared->gate);
    shared->list = list;
    shared->path = strdup(path);
    shared->args = args == NULL ? NULL : strdup(args);
    if (shared->path == NULL || (args != NULL && shared->args == NULL)) {
        return NULL;
    }
    return take_ptr(&shared);
}

/* Joins the users of the list, or is the first and initialises it. With all_lock held. */
static enum keystay_status join(
    const char *path, const char *args, struct p11_module *module, struct keystay_error *err)
{
    for (struct module_shared *shared = all_shared; shared != NULL; shared = shared->next) {
        if (shared->list == module->list && shared->pid == getpid()) {
            shared->n_users++;
            module->shared = shared;
            return KEYSTAY_OK;
        }
    }
    CLEANUP(shared_freep) struct module_shared *fresh = shared_new(path, args, module->list);
    if (fresh == NULL) {
        return err_no_memory(err);
    }
    TRY(initialize(module, fresh, err));
    fresh->n_users = 1;
    fresh->next = all_shared;
    module->shared = fresh;
    all_shared = take_ptr(&fresh);
    return KEYSTAY_OK;
}

enum keystay_status module_open(
    const char *name, const char *args, const struct keystay_call_watch *watch, struct p11_module *ret_module,
    struct keystay_error *err)
{
    CLEANUP(freep) char *path = NULL;
    struct p11_module module = { .watch = watch };
    CK_C_GetFunctionList entry = NULL;

    TRY(module_file_resolve(name, &path, err));
    TRY(load(path, &module, &entry, err));
    module_enter(&module, "C_GetFunctionList");
    CK_RV rv = module_leave(&module, entry == NULL ? CKR_GENERAL_ERROR : entry(&module.list));
    if (rv != CKR_OK) {
        return rv_error(rv, "C_GetFunctionList", name, err);
    }
    if (module.list == NULL || !has_functions(module.list)) {
        return err_set_hint(
            err, KEYSTAY_E_MODULE_LOAD, hint_path, "module '%s' lacks functions that signing needs", name);
    }
    (void)pthread_mutex_lock(&all_lock);
    enum keystay_status status = join(name, args, &module, err);
    (void)pthread_mutex_unlock(&all_lock);
    TRY(status);
    *ret_module = module;
    return KEYSTAY_OK;
}

static void forget(struct module_shared *shared)
{
    for (struct module_shared **at = &all_shared; *at != NULL; at = &(*at)->next) {
        if (*at == shared) {
            *at = shared->next;
            break;
        }
    }
    shared_freep(&shared);
}

void module_close(struct p11_module *module)
{
    struct module_shared *shared = module->shared;

    if (module->list == NULL || shared == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&all_lock);
    if (--shared->n_users == 0) {
        if (shared->must_finalize && module_is_own(module)) {
            (void)P11(module, C_Finalize, NULL);
        }
        forget(shared);
    }
    (void)pthread_mutex_unlock(&all_lock);
    module->list = NULL;
    module->shared = NULL;
}

void module_closep(struct p11_module *module)
{
    module_close(module);
}

pthread_rwlock_t *module_gate(const struct p11_module *module)
{
    return &module->shared->gate;
}

bool module_has_other_users(const struct p11_module *module)
{
    (void)pthread_mutex_lock(&all_lock);
    bool has = module->shared->n_users > 1;
    (void)pthread_mutex_unlock(&all_lock);
    return has;
}

bool module_is_single_threaded(const struct p11_module *module)
{
    return module->shared->is_single_threaded;
}

bool module_is_own(const struct p11_module *module)
{
    return module->shared->pid == getpid();
}

enum keystay_status module_reinitialize(struct p11_module *module, struct keystay_error *err)
{
    (void)P11(module, C_Finalize, NULL);
    module->shared->epoch++;
    return initialize(module, module->shared, err);
}

enum keystay_status module_reinitialize_if_alone(struct p11_module *module, struct keystay_error *err)
{
    enum keystay_status status = KEYSTAY_OK;

    (void)pthread_mutex_lock(&all_lock); /* which keeps those out who would join */
    if (module->shared->n_users == 1 && module->shared->must_finalize) {
        status = module_reinitialize(module, err);
    }
    (void)pthread_mutex_unlock(&all_lock);
    return status;
}

unsigned int module_epoch(const struct p11_module *module)
{
    return module->shared->epoch;
}

bool module_may_reinitialize(const struct p11_module *module)
{
    const struct module_shared *shared = module->shared;

    return shared->reinitialized_at_ms == 0 ||
           clock_monotonic_ms() - shared->reinitialized_at_ms >= shared->wait_ms;
}

void module_note_reinitialized(struct p11_module *module, bool has_held)
{
    struct module_shared *shared = module->shared;
    /* What one that held had set is no measure for one that failed. */
    int64_t longer_ms = shared->wait_ms == REINITIALIZE_EVERY_MS ? 0 : shared->wait_ms * 2;

    shared->reinitialized_at_ms = clock_monotonic_ms();
    if (has_held || longer_ms > REINITIALIZE_EVERY_MS) {
        shared->wait_ms = REINITIALIZE_EVERY_MS;
    } else {
        shared->wait_ms = longer_ms < FAILED_WAIT_MS ? FAILED_WAIT_MS : longer_ms;
    }
}
