/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "core/agent_setting.h"

enum { ENTRY_SIZE = 1024, ENTRY_SIZE_MAX = 16 * 1024 * 1024 };

/* getpwnam_r and getgrnam_r in one shape: an errno value, and whether there is an entry. */
typedef int look_up_fn(const char *name, char *text, size_t size, uint32_t *ret_id, bool *ret_is_there);

static int look_up_user(const char *name, char *text, size_t size, uint32_t *ret_id, bool *ret_is_there)
{
    struct passwd entry;
    struct passwd *found = NULL;
    const int failed = getpwnam_r(name, &entry, text, size, &found);

    *ret_is_there = found != NULL;
    *ret_id = found == NULL ? 0 : found->pw_uid;
    return failed;
}

static int look_up_group(const char *name, char *text, size_t size, uint32_t *ret_id, bool *ret_is_there)
{
    struct group entry;
    struct group *found = NULL;
    const int failed = getgrnam_r(name, &entry, text, size, &found);

    *ret_is_there = found != NULL;
    *ret_id = found == NULL ? 0 : found->gr_gid;
    return failed;
}

/* How large an entry is, nobody knows beforehand: a group has its members in it. */
static enum keystay_status look_up(
    look_up_fn *look, const char *name, bool *ret_is_there, uint32_t *ret_id, struct keystay_error *err)
{
    int failed = ERANGE;

    for (size_t size = ENTRY_SIZE; failed == ERANGE && size <= ENTRY_SIZE_MAX; size *= 2) {
        CLEANUP(freep) char *text = malloc(size);
        if (text == NULL) {
            return err_no_memory(err);
        }
        failed = look(name, text, size, ret_id, ret_is_there);
    }
    /* getpwnam(3): what "not found" is, is left open; these are what it is in the field. */
    if (failed == 0 || failed == ENOENT || failed == ESRCH) {
        return KEYSTAY_OK;
    }
    return err_set_hint(
        err, KEYSTAY_E_INTERNAL, "getent passwd and getent group ask the same; a number needs no asking",
        "the system cannot say who that is: %s", file_errno_text(failed));
}

static enum keystay_status find(
    look_up_fn *look, const char *what, const char *name, uint32_t *ret_id, struct keystay_error *err)
{
    bool is_number = false;
    bool is_there = false;

    TRY(agent_id_parse(name, &is_number, ret_id, err));
    if (is_number) {
        return KEYSTAY_OK;
    }
    TRY(look_up(look, name, &is_there, ret_id, err));
    return is_there ? KEYSTAY_OK
                    : err_set_hint(
                          err, KEYSTAY_E_CONFIG,
                          "write one name that getent knows, or a number; repeat the key for more",
                          "there is no %s of that name", what);
}

enum keystay_status identity_user(const char *name, uid_t *ret_uid, struct keystay_error *err)
{
    uint32_t id = 0;

    TRY(find(look_up_user, "user", name, &id, err));
    *ret_uid = (uid_t)id;
    return KEYSTAY_OK;
}

enum keystay_status identity_group(const char *name, gid_t *ret_gid, struct keystay_error *err)
{
    uint32_t id = 0;

    TRY(find(look_up_group, "group", name, &id, err));
    *ret_gid = (gid_t)id;
    return KEYSTAY_OK;
}
