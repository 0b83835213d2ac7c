/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/state_dir.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

/* A name that was cut would be another folder. */
__attribute__((format(printf, 3, 4))) static enum keystay_status set_dir(
    char ret_dir[STATE_DIR_SIZE], struct keystay_error *err, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int len = vsnprintf(ret_dir, STATE_DIR_SIZE, format, arguments);
    va_end(arguments);
    return len >= 0 && len < STATE_DIR_SIZE
               ? KEYSTAY_OK
               : err_set(
                     err, KEYSTAY_E_CONFIG,
                     "the name of the folder to remember a refused PIN in is too long");
}

/* Of the default places the first that is there to be had. */
static enum keystay_status default_dir(char ret_dir[STATE_DIR_SIZE], struct keystay_error *err)
{
    const char *of_unit =
        getenv("STATE_DIRECTORY"); /* systemd.exec(5), absolute; several are separated by ':' */
    const char *of_user = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");

    if (of_unit != NULL && of_unit[0] == '/') {
        return set_dir(ret_dir, err, "%.*s", (int)strcspn(of_unit, ":"), of_unit);
    }
    if (geteuid() == 0) {
        return set_dir(ret_dir, err, "/var/lib/keystay");
    }
    if (of_user != NULL && of_user[0] == '/') {
        return set_dir(ret_dir, err, "%s/keystay", of_user);
    }
    if (home != NULL && home[0] == '/') {
        return set_dir(ret_dir, err, "%s/.local/state/keystay", home);
    }
    return err_set_hint(
        err, KEYSTAY_E_CONFIG, "give --state-dir a folder of your own",
        "there is no folder to remember a refused PIN in");
}

/* mkdir -p with mode 0700 for what is missing. */
static enum keystay_status make_dir(const char *dir, struct keystay_error *err)
{
    char path[STATE_DIR_SIZE];

    (void)snprintf(path, sizeof(path), "%s", dir);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700); /* what is wrong with it shows below */
        *slash = '/';
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "give --state-dir a folder that can be written to",
            "'%s', to remember a refused PIN in, cannot be made: %s", path, file_errno_text(errno));
    }
    return KEYSTAY_OK;
}

enum keystay_status state_dir_find(
    const char *configured, char ret_dir[STATE_DIR_SIZE], struct keystay_error *err)
{
    char dir[STATE_DIR_SIZE] = "";

    if (configured == NULL) {
        TRY(default_dir(dir, err));
    } else {
        TRY(set_dir(dir, err, "%s", configured));
    }
    if (dir[0] == '\0') {
        return err_set(err, KEYSTAY_E_CONFIG, "the folder to remember a refused PIN in has no name");
    }
    memcpy(ret_dir, dir, sizeof(dir));
    return KEYSTAY_OK;
}

enum keystay_status state_dir_open(
    const char *configured, char ret_dir[STATE_DIR_SIZE], struct keystay_error *err)
{
    char dir[STATE_DIR_SIZE];

    TRY(state_dir_find(configured, dir, err));
    TRY(make_dir(dir, err));
    memcpy(ret_dir, dir, sizeof(dir));
    return KEYSTAY_OK;
}
