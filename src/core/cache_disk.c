/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything is done relative to the folder's descriptor, so that nobody can put another folder in its place
 * between a check and a use. A file is named by its key's hash: HASH.token, HASH.lock, HASH.new while it is
 * written.
 */
#include "core/cache_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/str.h"

enum { NAME_SIZE = 32, HASH_DIGITS = 16, READ_MS = 1000, LOCK_TRIES = 8, TMPFS = 0x01021994 /* statfs(2) */ };

static const char variable[] = "XDG_RUNTIME_DIR";
static const char folder[] = "keystay";
static const char clear_hint[] = "keystay cache clear removes it";

struct cache_disk {
    int fd; /* of the folder */
    const struct keystay_log *log;
    _Atomic uint64_t refused; /* the hash of the key whose file was refused last: it is said once */
};

void cache_disk_freep(struct cache_disk **disk)
{
    if (*disk != NULL) {
        file_closep(&(*disk)->fd);
        free(*disk);
    }
    *disk = NULL;
}

static bool is_tmpfs(int fd)
{
    struct statfs info;

    return fstatfs(fd, &info) == 0 && info.f_type == TMPFS;
}

/* A folder of this user, in which nobody else has the rights of mask. */
static bool is_own(int fd, mode_t mask)
{
    struct stat info;

    return fstat(fd, &info) == 0 && info.st_uid == geteuid() && (info.st_mode & mask) == 0;
}

/* The user's runtime folder; -1 with a word why it will not do. */
static int open_runtime_dir(const struct keystay_log *log)
{
    const char *path = getenv(variable);
    CLEANUP(file_closep) int fd = -1;

    if (path == NULL || path[0] != '/') {
        log_step(log, "no cache: %s is not set", variable);
        return -1;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        log_step(log, "no cache: %s: %s", path, file_errno_text(errno));
    } else if (!is_own(fd, S_IWGRP | S_IWOTH)) {
        log_step(log, "no cache: %s is not this user's own", path);
    } else if (!is_tmpfs(fd)) {
        log_step(log, "no cache: %s is no tmpfs: a token must not get onto a disk", path);
    } else {
        int kept = fd;
        fd = -1;
        return kept;
    }
    return -1;
}

/* Ours below it, made if it is not there. */
static int open_folder(const struct keystay_log *log)
{
    CLEANUP(file_closep) int parent = open_runtime_dir(log);
    CLEANUP(file_closep) int fd = -1;

    if (parent < 0) {
        return -1;
    }
    if (mkdirat(parent, folder, 0700) != 0 && errno != EEXIST) {
        log_step(log, "no cache: %s cannot be made below %s: %s", folder, variable, file_errno_text(errno));
        return -1;
    }
    fd = openat(parent, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || !is_own(fd, S_IRWXG | S_IRWXO) || !is_tmpfs(fd)) {
        log_warning(
            log, "no cache: $%s/%s is not a folder of this user's that nobody else may enter (chmod 700)",
            variable, folder);
        return -1;
    }
    int kept = fd;
    fd = -1;
    return kept;
}

enum keystay_status cache_disk_open(
    const struct keystay_log *log, struct cache_disk **ret_disk, struct keystay_error *err)
{
    CLEANUP(file_closep) int fd = open_folder(log);

    if (fd < 0) {
        *ret_disk = NULL;
        return KEYSTAY_OK;
    }
    struct cache_disk *disk = calloc(1, sizeof(*disk));
    if (disk == NULL) {
        return err_no_memory(err);
    }
    *disk = (struct cache_disk){ .fd = fd, .log = log };
    fd = -1;
    *ret_disk = disk;
    return KEYSTAY_OK;
}

static void name_of(const struct cache_key *key, const char *suffix, char ret_name[NAME_SIZE])
{
    (void)snprintf(ret_name, NAME_SIZE, "%016llx%s", (unsigned long long)key->hash, suffix);
}

/*
 * The content of a file that may be trusted to be ours; what it gives back is the reason why it may not be,
 * or NULL.
 */
static const char *read_own(int dir_fd, const char *name, bool *ret_is_there, struct buf *ret_text)
{
    CLEANUP(file_closep) int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat info;

    *ret_is_there = fd >= 0 || errno != ENOENT;
    if (fd < 0) {
        return errno == ENOENT ? NULL : errno == ELOOP ? "it is a symbolic link" : file_errno_text(errno);
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        return "it is no plain file";
    }
    if (info.st_uid != geteuid()) {
        return "it belongs to another user";
    }
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return "others may read or write it";
    }
    return file_read_fd(fd, "it", KEYSTAY_E_CONFIG, READ_MS, ret_text, NULL) == KEYSTAY_OK
               ? NULL
               : "it is too long or cannot be read";
}

bool cache_disk_find(
    struct cache_disk *disk, const struct cache_key *key, struct clock_moment now,
    struct cache_record *ret_record)
{
    CLEANUP(buf_clear) struct buf text = BUF(CACHE_RECORD_MAX);
    struct keystay_error why;
    char name[NAME_SIZE];
    bool is_there = false;

    name_of(key, ".token", name);
    const char *reason = read_own(disk->fd, name, &is_there, &text);
    if (!is_there) {
        return false;
    }
    if (reason == NULL && cache_record_parse(buf_slice(&text), key, now, ret_record, &why) != KEYSTAY_OK) {
        reason = why.message;
    }
    if (reason != NULL && atomic_exchange(&disk->refused, key->hash) != key->hash) {
        log_warning(disk->log, "the cache file %s is not used: %s; %s", name, reason, clear_hint);
    }
    return reason == NULL;
}

/* Whether a locked file is still the one by that name: clearing may have taken it away meanwhile. */
static bool is_still_there(int dir_fd, const char *name, int fd)
{
    struct stat opened;
    struct stat named;

    return fstat(fd, &opened) == 0 && fstatat(dir_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

bool cache_disk_try_lock(struct cache_disk *disk, const struct cache_key *key, int *ret_lock_fd)
{
    char name[NAME_SIZE];

    *ret_lock_fd = -1;
    name_of(key, ".lock", name);
    for (int i = 0; i < LOCK_TRIES; i++) {
        CLEANUP(file_closep)
        int fd = openat(disk->fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
        if (fd < 0) {
            log_warning(disk->log, "the cache's %s cannot be locked: %s", name, file_errno_text(errno));
            return true;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            return errno != EWOULDBLOCK && errno != EINTR;
        }
        if (is_still_there(disk->fd, name, fd)) {
            *ret_lock_fd = fd;
            fd = -1;
            return true;
        }
    }
    return true;
}

/* A leftover of a killed process is in the way of nobody: whoever writes holds the lock. */
static bool write_new(struct cache_disk *disk, const char *name, struct slice text)
{
    (void)unlinkat(disk->fd, name, 0);
    CLEANUP(file_closep)
    int fd = openat(disk->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    return fd >= 0 && file_write_all(fd, text, NULL) == KEYSTAY_OK;
}

void cache_disk_put(struct cache_disk *disk, const struct cache_key *key, const struct cache_record *record)
{
    CLEANUP(buf_clear) struct buf text = BUF(CACHE_RECORD_MAX);
    struct keystay_error why;
    char fresh[NAME_SIZE];
    char name[NAME_SIZE];

    name_of(key, ".new", fresh);
    name_of(key, ".token", name);
    if (cache_record_write(key, record, &text, &why) != KEYSTAY_OK) {
        log_warning(disk->log, "the token is not kept: %s", why.message);
        return;
    }
    if (!write_new(disk, fresh, buf_slice(&text)) || renameat(disk->fd, fresh, disk->fd, name) != 0) {
        log_warning(disk->log, "the token is not kept: %s: %s", name, file_errno_text(errno));
        (void)unlinkat(disk->fd, fresh, 0);
    }
}

static bool has_suffix(const char *name, const char *suffix)
{
    return strspn(name, "0123456789abcdef") == HASH_DIGITS && str_equal(name + HASH_DIGITS, suffix);
}

/* A lock that somebody holds stays: behind it a token is being got. */
static bool may_remove(struct cache_disk *disk, const char *name, const struct cache_key *client)
{
    CLEANUP(buf_clear) struct buf text = BUF(CACHE_RECORD_MAX);
    bool is_there = false;

    if (has_suffix(name, ".lock")) {
        CLEANUP(file_closep) int fd = openat(disk->fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        return client == NULL && (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0);
    }
    if (!has_suffix(name, ".token") && !has_suffix(name, ".new")) {
        return false;
    }
    return client == NULL || (read_own(disk->fd, name, &is_there, &text) == NULL &&
                              cache_record_is_of(buf_slice(&text), client));
}

static void dir_closep(DIR **dir)
{
    if (*dir != NULL) {
        (void)closedir(*dir);
    }
}

enum keystay_status cache_disk_clear(
    struct cache_disk *disk, const struct cache_key *client, size_t *ret_n, struct keystay_error *err)
{
    CLEANUP(file_closep) int fd = openat(disk->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(dir_closep) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry = NULL;
    size_t n = 0;

    if (dir == NULL) {
        return err_set(err, KEYSTAY_E_CONFIG, "the cache cannot be read: %s", file_errno_text(errno));
    }
    fd = -1; /* it is the DIR's now */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the DIR is our own */
    while ((entry = readdir(dir)) != NULL) {
        if (!may_remove(disk, entry->d_name, client)) {
            continue;
        }
        if (unlinkat(disk->fd, entry->d_name, 0) != 0 && errno != ENOENT) {
            return err_set(
                err, KEYSTAY_E_CONFIG, "the cache file %s cannot be removed: %s", entry->d_name,
                file_errno_text(errno));
        }
        n += has_suffix(entry->d_name, ".token");
    }
    *ret_n = n;
    return KEYSTAY_OK;
}
