/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/shared_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/str.h"

enum { PATH_SIZE = 4096 + sizeof(".new") };

static const uint32_t in_memory[] = { 0x01021994, 0x858458f6 }; /* statfs(2): tmpfs, ramfs */

enum keystay_status shared_file_init(
    struct shared_file *file, const char *path, const struct grant *grant, struct keystay_error *err)
{
    *file = (struct shared_file){ .path = strdup(path), .has_group = grant->groups.n == 1 };
    if (file->has_group) {
        file->group = (gid_t)grant->groups.items[0];
    }
    return file->path == NULL ? err_no_memory(err) : KEYSTAY_OK;
}

void shared_file_clear(struct shared_file *file)
{
    free(file->path);
    *file = (struct shared_file){ 0 };
}

bool shared_file_is(const struct shared_file *file, const char *path, const struct grant *grant)
{
    const bool has_group = grant->groups.n == 1;

    return str_equal(file->path, path) && file->has_group == has_group &&
           (!has_group || file->group == (gid_t)grant->groups.items[0]);
}

static enum keystay_status fail(const struct shared_file *file, struct keystay_error *err)
{
    return err_set_hint(
        err, KEYSTAY_E_CONFIG, "its folder must be there, and the agent's user must be able to write to it",
        "cannot write %s: %s", file->path, file_errno_text(errno));
}

/* Nobody but the agent's user can have opened it before it is whole. */
static enum keystay_status give_to_group(int fd, const struct shared_file *file, struct keystay_error *err)
{
    if (!file->has_group) {
        return KEYSTAY_OK;
    }
    if (fchown(fd, (uid_t)-1, file->group) != 0) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "put the agent's user into the group: SupplementaryGroups= of its unit",
            "cannot give %s to group %u: %s", file->path, (unsigned int)file->group, file_errno_text(errno));
    }
    return fchmod(fd, 0640) == 0 ? KEYSTAY_OK : fail(file, err);
}

static enum keystay_status write_beside(
    const struct shared_file *file, const char *fresh, struct slice content, struct keystay_error *err)
{
    (void)unlink(fresh); /* what an agent that was killed has left */
    CLEANUP(file_closep) int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0) {
        return fail(file, err);
    }
    TRY(file_write_all(fd, content, err));
    return give_to_group(fd, file, err);
}

enum keystay_status shared_file_write(
    const struct shared_file *file, struct slice content, struct keystay_error *err)
{
    char fresh[PATH_SIZE];

    (void)snprintf(fresh, sizeof(fresh), "%s.new", file->path);
    enum keystay_status status = write_beside(file, fresh, content, err);
    if (status == KEYSTAY_OK && rename(fresh, file->path) != 0) {
        status = fail(file, err);
    }
    if (status != KEYSTAY_OK) {
        (void)unlink(fresh);
    }
    return status;
}

/* As give_to_group leaves it, for whichever group, and not under a second name. */
static bool is_own(const struct stat *info)
{
    const mode_t mode = info->st_mode & 07777;

    return S_ISREG(info->st_mode) && info->st_uid == geteuid() && info->st_nlink == 1 &&
           (mode == 0600 || mode == 0640);
}

static bool read_own(const char *path, struct stat *ret_info, struct buf *ret_content)
{
    CLEANUP(file_closep) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    return fd >= 0 && fstat(fd, ret_info) == 0 && is_own(ret_info) &&
           file_read_fd(fd, path, KEYSTAY_E_CONFIG, 0, ret_content, NULL) == KEYSTAY_OK;
}

bool shared_file_read(const struct shared_file *file, struct buf *ret_content)
{
    struct stat info;

    return read_own(file->path, &info, ret_content) &&
           (info.st_mode & 07777) == (file->has_group ? 0640 : 0600) &&
           (!file->has_group || info.st_gid == file->group);
}

bool shared_file_read_left(const char *path, struct buf *ret_content)
{
    struct stat info;

    return read_own(path, &info, ret_content);
}

void shared_file_remove(const struct shared_file *file)
{
    (void)unlink(file->path);
}

bool shared_file_is_on_disk(const struct shared_file *file)
{
    const char *slash = strrchr(file->path, '/');
    char folder[PATH_SIZE];
    struct statfs info;

    (void)snprintf(folder, sizeof(folder), "%.*s/", (int)(slash - file->path), file->path);
    if (statfs(folder, &info) != 0) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(in_memory); i++) {
        if ((uint32_t)info.f_type == in_memory[i]) {
            return false;
        }
    }
    return true;
}
