/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "pkcs11/rv.h"

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

static enum keystay_status check_path(const char *path, struct keystay_error *err)
{
    struct stat info;

    /* Without a '/' the dynamic linker would search, and whoever owns the search path would own the PIN. */
    if (strchr(path, '/') == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_MODULE_LOAD, hint_path, "module '%s' must be given with its full path", path);
    }
    if (stat(path, &info) != 0) {
        return err_set_hint(
            err, KEYSTAY_E_MODULE_LOAD, hint_path, "no module at '%s': %s", path, file_errno_text(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return err_set_hint(err, KEYSTAY_E_MODULE_LOAD, hint_path, "module '%s' is not a file", path);
    }
    return KEYSTAY_OK;
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
           list->C_CloseSession != NULL && list->C_Login != NULL && list->C_GetAttributeValue != NULL &&
           list->C_FindObjectsInit != NULL && list->C_FindObjects != NULL &&
           list->C_FindObjectsFinal != NULL && list->C_SignInit != NULL && list->C_Sign != NULL;
}

static enum keystay_status initialize(
    const char *path, const char *args, struct p11_module *module, struct keystay_error *err)
{
    CK_C_INITIALIZE_ARGS init = { .flags = CKF_OS_LOCKING_OK };

    init.pReserved = drop_const(args);
    CK_RV rv = P11(module, C_Initialize, &init);
    if (rv == CKR_CANT_LOCK) {
        /* PKCS #11 v3.0 §5.4: then it must not be called by two threads at once; the engine holds a lock
         * anyway. */
        rv = P11(module, C_Initialize, NULL);
    }
    module->must_finalize = rv == CKR_OK;
    if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
        return rv_error(rv, "C_Initialize", path, err);
    }
    return KEYSTAY_OK;
}

enum keystay_status module_open(
    const char *path, const char *args, const struct keystay_call_watch *watch, struct p11_module *ret_module,
    struct keystay_error *err)
{
    struct p11_module module = { .watch = watch };
    CK_C_GetFunctionList entry = NULL;

    TRY(check_path(path, err));
    TRY(load(path, &module, &entry, err));
    module_enter(&module, "C_GetFunctionList");
    CK_RV rv = module_leave(&module, entry == NULL ? CKR_GENERAL_ERROR : entry(&module.list));
    if (rv != CKR_OK) {
        return rv_error(rv, "C_GetFunctionList", path, err);
    }
    if (module.list == NULL || !has_functions(module.list)) {
        return err_set(err, KEYSTAY_E_MODULE_LOAD, "module '%s' lacks functions that signing needs", path);
    }
    TRY(initialize(path, args, &module, err));
    *ret_module = module;
    return KEYSTAY_OK;
}

void module_close(struct p11_module *module)
{
    if (module->must_finalize) {
        (void)P11(module, C_Finalize, NULL);
    }
    module->must_finalize = false;
    module->list = NULL;
}
