/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/module_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

static const char hint_path[] =
    "SoftHSM: .../softhsm/libsofthsm2.so; cards: .../opensc-pkcs11.so or .../libykcs11.so";

static bool is_ours(const struct stat *info)
{
    return info->st_uid == 0 || info->st_uid == geteuid();
}

/* In a sticky folder only a file's owner can replace it. */
static bool can_others_write(const struct stat *info)
{
    bool by_group = (info->st_mode & S_IWGRP) != 0 && info->st_gid != 0 && info->st_gid != getegid();
    bool is_sticky = S_ISDIR(info->st_mode) && (info->st_mode & S_ISVTX) != 0;

    return !is_sticky && (by_group || (info->st_mode & S_IWOTH) != 0);
}

static enum keystay_status check_one(const char *path, const char *module, struct keystay_error *err)
{
    struct stat info;

    if (stat(path, &info) != 0) {
        return err_set_hint(
            err, KEYSTAY_E_MODULE_LOAD, hint_path, "no module at '%s': %s", module, file_errno_text(errno));
    }
    if (!is_ours(&info)) {
        return err_set_hint(
            err, KEYSTAY_E_MODULE_LOAD, "it must belong to root or to the user who runs keystay",
            "module '%s' is not loaded: '%s' belongs to another user (uid %lu)", module, path,
            (unsigned long)info.st_uid);
    }
    if (can_others_write(&info)) {
        return err_set_hint(
            err, KEYSTAY_E_MODULE_LOAD, "chmod go-w it, or move the module to where only root can write",
            "module '%s' is not loaded: others can write to '%s', and whoever can has the PIN", module, path);
    }
    return KEYSTAY_OK;
}

/* Each folder on the way, from the file's own up to the root. path is absolute and written to. */
static enum keystay_status check_folders(char *path, const char *module, struct keystay_error *err)
{
    for (char *slash = strrchr(path, '/'); slash != NULL && slash != path; slash = strrchr(path, '/')) {
        *slash = '\0';
        TRY(check_one(path, module, err));
    }
    return check_one("/", module, err);
}

enum keystay_status module_file_resolve(const char *path, char **ret_path, struct keystay_error *err)
{
    struct stat info;

    /* Without a '/' the dynamic linker would search, and whoever owns the search path would own the PIN. */
    if (strchr(path, '/') == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_MODULE_LOAD, hint_path, "module '%s' must be given with its full path", path);
    }
    CLEANUP(freep) char *real = realpath(path, NULL);
    if (real == NULL || stat(real, &info) != 0) {
        return err_set_hint(
            err, KEYSTAY_E_MODULE_LOAD, hint_path, "no module at '%s': %s", path, file_errno_text(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return err_set_hint(err, KEYSTAY_E_MODULE_LOAD, hint_path, "module '%s' is not a file", path);
    }
    TRY(check_one(real, path, err));
    CLEANUP(freep) char *folders = strdup(real);
    if (folders == NULL) {
        return err_no_memory(err);
    }
    TRY(check_folders(folders, path, err));
    *ret_path = take_ptr(&real);
    return KEYSTAY_OK;
}
