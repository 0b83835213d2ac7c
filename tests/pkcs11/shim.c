/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PKCS#11 module that stands in front of a real one and misbehaves on demand.
 *
 *     SHIM_MODULE   the real module's path
 *     SHIM_FAULT    what goes wrong, in the language of shim_rules.h
 *     SHIM_COUNT    a file that gets a line with the name of each call, in their order
 *     SHIM_ONCE     a file that says whether it has harmed a process: it does so once, whatever starts it
 * again SHIM_ENVIRON  a file that the environment is written to
 *
 * What no rule speaks of is handed through unchanged, arguments and answer. No argument is written anywhere.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim_harm.h"
#include "shim_rules.h"

enum { MECHANISMS_MAX = 512, ATTRIBUTES_MAX = 64 };

static CK_FUNCTION_LIST *real;
static int count_fd = -1;

static _Noreturn void give_up(const char *what, const char *detail)
{
    (void)fprintf(stderr, "shim: %s: %s\n", what, detail == NULL ? "?" : detail);
    abort();
}

/* Kept open, as real modules keep sockets. One write a line: those of several threads do not mix. */
static void note(const char *name)
{
    char line[64];

    int len = snprintf(line, sizeof(line), "%s\n", name);
    if (count_fd >= 0 && write(count_fd, line, (size_t)len) != len && errno != EBADF) { /* it closes all */
        give_up("SHIM_COUNT", "cannot be written");
    }
}

static bool is_spoilt(enum shim_call call, const char *name, CK_RV *ret_rv)
{
    note(name);
    return rules_before(call, ret_rv);
}

/* shim_C_Login and so on: each call as it goes through to the real module. */
#define FORWARD(name, parameters, arguments)      \
    static CK_RV shim_##name parameters           \
    {                                             \
        CK_RV rv = CKR_OK;                        \
                                                  \
        if (is_spoilt(SHIM_##name, #name, &rv)) { \
            return rv;                            \
        }                                         \
        rv = real->name arguments;                \
        rules_after(SHIM_##name);                 \
        return rv;                                \
    }

SHIM_CALLS(FORWARD)

/* The few whose answer can be bent, not only replaced. */

static CK_RV bent_C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    CK_RV rv = shim_C_GetTokenInfo(slot, info);

    if (rv == CKR_OK) {
        rules_bend_token(info);
    }
    return rv;
}

static CK_RV bent_C_Sign(
    CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature, CK_ULONG *signature_len)
{
    CK_RV rv = shim_C_Sign(session, data, data_len, signature, signature_len);

    if (rv == CKR_OK) {
        rules_bend_signature(signature, signature_len);
    }
    return rv;
}

static CK_RV bent_C_GetAttributeValue(
    CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes, CK_ULONG n)
{
    CK_ULONG rooms[ATTRIBUTES_MAX];

    if (n > ATTRIBUTES_MAX) {
        give_up("C_GetAttributeValue", "more attributes than there is room for");
    }
    for (CK_ULONG i = 0; i < n; i++) {
        rooms[i] = attributes[i].ulValueLen;
    }
    CK_RV rv = shim_C_GetAttributeValue(session, object, attributes, n);
    if (rv != CKR_OK && rv != CKR_ATTRIBUTE_SENSITIVE && rv != CKR_ATTRIBUTE_TYPE_INVALID &&
        rv != CKR_BUFFER_TOO_SMALL) {
        return rv;
    }
    for (CK_ULONG i = 0; i < n; i++) {
        rv = rules_bend_attribute(&attributes[i], rooms[i], rv);
    }
    return rv;
}

static CK_RV bent_C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *n)
{
    CK_MECHANISM_TYPE all[MECHANISMS_MAX];
    CK_ULONG n_all = MECHANISMS_MAX;
    CK_ULONG n_kept = 0;
    CK_ULONG room = *n;

    CK_RV rv = shim_C_GetMechanismList(slot, all, &n_all);
    if (rv != CKR_OK) {
        return rv;
    }
    for (CK_ULONG i = 0; i < n_all; i++) {
        if (!rules_hide_mechanism(all[i])) {
            all[n_kept++] = all[i];
        }
    }
    *n = n_kept;
    if (list == NULL) {
        return CKR_OK;
    }
    if (room < n_kept) {
        return CKR_BUFFER_TOO_SMALL;
    }
    memcpy(list, all, n_kept * sizeof(all[0]));
    return CKR_OK;
}

#define ENTRY(name, parameters, arguments) .name = shim_##name,

static CK_FUNCTION_LIST shim = { SHIM_CALLS(ENTRY) };

static void load_real_module(void)
{
    const char *path = getenv("SHIM_MODULE");
    CK_C_GetFunctionList entry = NULL;

    if (path == NULL) {
        give_up("SHIM_MODULE", "not set");
    }
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = handle == NULL ? NULL : dlsym(handle, "C_GetFunctionList");
    if (symbol == NULL) {
        give_up("SHIM_MODULE", dlerror());
    }
    memcpy(&entry, &symbol, sizeof(symbol));
    if (entry(&real) != CKR_OK) {
        give_up("SHIM_MODULE", "its C_GetFunctionList fails");
    }
}

__attribute__((constructor)) static void on_dlopen(void)
{
    const char *count_path = getenv("SHIM_COUNT");
    CK_RV unused = CKR_OK;

    if (count_path != NULL) {
        count_fd = open(count_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
    if (count_path != NULL && count_fd < 0) {
        give_up("SHIM_COUNT", count_path);
    }
    harm_write_sight();
    rules_read(getenv("SHIM_FAULT"));
    (void)rules_before(SHIM_dlopen, &unused);
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **ret_list)
{
    CK_RV rv = CKR_OK;

    if (is_spoilt(SHIM_C_GetFunctionList, "C_GetFunctionList", &rv)) {
        return rv;
    }
    load_real_module();
    shim.version = real->version;
    shim.C_GetFunctionList = C_GetFunctionList;
    shim.C_GetTokenInfo = bent_C_GetTokenInfo;
    shim.C_GetMechanismList = bent_C_GetMechanismList;
    shim.C_GetAttributeValue = bent_C_GetAttributeValue;
    shim.C_Sign = bent_C_Sign;
    *ret_list = &shim;
    return CKR_OK;
}
