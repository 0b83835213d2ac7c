/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whoever owns a folder on the way can lead elsewhere; so all up to the root count. In a sticky one (/tmp)
 * nobody can replace what is another's: that will do for a folder that has such a one above it, but not for a
 * file, which anybody may be the first to make.
 */
#include "agent/folder.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

enum { PATH_SIZE = 4096 };

static bool is_ours(const struct stat *info)
{
    const bool is_group_ours = info->st_gid == 0 || info->st_gid == getegid();

    return (info->st_uid == 0 || info->st_uid == geteuid()) && (info->st_mode & S_IWOTH) == 0 &&
           (is_group_ours || (info->st_mode & S_IWGRP) == 0);
}

static enum keystay_status check_one(const char *folder, bool may_be_sticky, struct keystay_error *err)
{
    struct stat info;

    if (stat(folder, &info) != 0) {
        return err_set(err, KEYSTAY_E_CONFIG, "cannot look at %s: %s", folder, file_errno_text(errno));
    }
    const bool is_sticky = may_be_sticky && info.st_uid == 0 && (info.st_mode & S_ISVTX) != 0;
    return is_sticky || is_ours(&info)
               ? KEYSTAY_OK
               : err_set_hint(
                     err, KEYSTAY_E_CONFIG,
                     "choose a folder that root or the agent's user owns, and no one else can write to",
                     "others can write to the folder %s, and put there what they like", folder);
}

enum keystay_status folder_check(const char *path, struct keystay_error *err)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_SIZE];

    (void)snprintf(folder, sizeof(folder), "%.*s/", (int)(slash - path), path);
    CLEANUP(freep) char *real = realpath(folder, NULL);
    if (real == NULL) {
        return err_set(err, KEYSTAY_E_CONFIG, "cannot look at %s: %s", folder, file_errno_text(errno));
    }
    TRY(check_one(real, false, err));
    for (char *end = strrchr(real, '/'); end != NULL && end != real; end = strrchr(real, '/')) {
        *end = '\0';
        TRY(check_one(real, true, err));
    }
    return check_one("/", true, err);
}
