/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose word a configuration file is. It names the module that is loaded into the process and the command
 * that asks for the PIN, so whoever can write it can do what the user can: only root and the user may. A link
 * is judged by what it leads to, and what was judged is what is read: there is one open.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "core/config_text.h"

enum { HINT_SIZE = 300, READ_WAIT_MS = 30000 };

static enum keystay_status check_owner(const char *path, uid_t owner, struct keystay_error *err)
{
    const uid_t me = geteuid();

    if (owner == 0 || owner == me) {
        return KEYSTAY_OK;
    }
    if (me == 0) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG,
            "under sudo, HOME or XDG_CONFIG_HOME may be another's; else chown it to root",
            "the configuration file '%s' belongs to user id %u: root uses only its own", path,
            (unsigned int)owner);
    }
    return err_set_hint(
        err, KEYSTAY_E_CONFIG, "use a copy of your own",
        "the configuration file '%s' belongs to user id %u, who is neither root nor you", path,
        (unsigned int)owner);
}

static enum keystay_status check_file(const char *path, int fd, struct keystay_error *err)
{
    struct stat info;
    char hint[HINT_SIZE];

    if (fstat(fd, &info) != 0) {
        return err_set(
            err, KEYSTAY_E_CONFIG, "the configuration file '%s': %s", path, file_errno_text(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "/dev/null stands for no configuration",
            "the configuration file '%s' is not a plain file", path);
    }
    TRY(check_owner(path, info.st_uid, err));
    if (info.st_mode & (S_IWGRP | S_IWOTH)) {
        (void)snprintf(hint, sizeof(hint), "chmod go-w %s", path);
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, hint, "the configuration file '%s' can be written by others (mode %04o)",
            path, (unsigned int)info.st_mode & 07777U);
    }
    return KEYSTAY_OK;
}

/* What may not be looked for is as good as missing: HOME is often another user's. */
static bool is_missing(const char *path)
{
    struct stat info;

    return stat(path, &info) != 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES);
}

enum keystay_status config_load_text(
    const char *path, bool must_exist, bool *ret_is_there, struct buf *ret_text, struct keystay_error *err)
{
    CLEANUP(file_closep) int fd = -1;

    if (str_equal(path, "/dev/null") || (!must_exist && is_missing(path))) {
        *ret_is_there = false;
        return KEYSTAY_OK;
    }
    TRY(file_open(path, "the configuration file", KEYSTAY_E_CONFIG, &fd, err));
    TRY(check_file(path, fd, err));
    enum keystay_status status = file_read_fd(fd, "the file", KEYSTAY_E_CONFIG, READ_WAIT_MS, ret_text, err);
    if (status != KEYSTAY_OK) {
        return err_prefix(err, status, "the configuration file '%s'", path);
    }
    *ret_is_there = true;
    return KEYSTAY_OK;
}
