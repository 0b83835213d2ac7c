/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd's own rule (systemd.io/CGROUP_DELEGATION): the first group on the way down that is no slice is the
 * unit. What is below may be the unit's own doing, and has any name that it likes; a user's own manager is
 * one such unit.
 *
 * From a number to a path there is only looking for it: the number of a group is the inode of its folder. One
 * level is looked through after the other: units are near the root, and the deep trees, which may be
 * somebody's malice, come last. The search has an end.
 */
#include "peer/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

enum {
    DEPTH_MAX = 16,
    FOLDERS_MAX = 10000, /* looked at in one search, those of earlier levels counted again */
    PATH_SIZE = 4096,
};

static bool ends_with(struct slice name, const char *suffix)
{
    const size_t len = strlen(suffix);

    return name.len > len && memcmp(name.data + name.len - len, suffix, len) == 0;
}

/* systemd.unit(5): letters, digits and :-_.\@ */
static bool has_unit_characters(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        const char c = (char)name.data[i];
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!is_letter && !(c >= '0' && c <= '9') && (c == '\0' || strchr(":-_.\\@", c) == NULL)) {
            return false;
        }
    }
    return true;
}

/* "getty@.service" is what units are made of, and none itself. */
static bool is_template(struct slice name, const char *suffix)
{
    const uint8_t *at = memchr(name.data, '@', name.len);

    return at != NULL && at + 1 == name.data + name.len - strlen(suffix);
}

/* A slice has no instances. */
static bool is_slice(struct slice name)
{
    return ends_with(name, ".slice") && has_unit_characters(name) && memchr(name.data, '@', name.len) == NULL;
}

static bool is_unit(struct slice name)
{
    static const char *const suffixes[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

    if (name.len >= UNIT_SIZE || name.data[0] == '@' || !has_unit_characters(name)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (ends_with(name, suffixes[i])) {
            return !is_template(name, suffixes[i]);
        }
    }
    return false;
}

/* The next name of a path; empty at its end. */
static struct slice next_name(const char **at)
{
    *at += strspn(*at, "/");
    struct slice name = { (const uint8_t *)*at, strcspn(*at, "/") };
    *at += name.len;
    return name;
}

void unit_of_cgroup(const char *path, char ret_unit[UNIT_SIZE])
{
    const char *at = path;
    struct slice name;

    ret_unit[0] = '\0';
    do {
        name = next_name(&at);
        if (name.len > 0 && name.data[0] == '_') { /* put before what could be a name of the kernel's */
            name.data++;
            name.len--;
        }
    } while (is_slice(name));
    if (name.len > 0 && is_unit(name)) {
        memcpy(ret_unit, name.data, name.len);
        ret_unit[name.len] = '\0';
    }
}

void unit_of_cgroup_file(struct slice content, char ret_unit[UNIT_SIZE])
{
    char path[PATH_SIZE];
    static const char v2[] = "0::/"; /* cgroups(7) */

    ret_unit[0] = '\0';
    while (content.len > 0) {
        const uint8_t *end = memchr(content.data, '\n', content.len);
        const size_t len = end == NULL ? content.len : (size_t)(end - content.data);

        if (len >= sizeof(v2) - 1 && memcmp(content.data, v2, sizeof(v2) - 1) == 0) {
            const size_t path_len = len - (sizeof(v2) - 1);
            if (end != NULL && path_len < sizeof(path) && memchr(content.data, '\0', len) == NULL) {
                memcpy(path, content.data + sizeof(v2) - 1, path_len);
                path[path_len] = '\0';
                unit_of_cgroup(path, ret_unit);
            }
            return;
        }
        content.data += len + (end != NULL);
        content.len -= len + (end != NULL);
    }
}

struct search {
    uint64_t id;
    int n_folders; /* looked at so far */
    bool has_more; /* there is a level below */
    size_t len;
    char path[PATH_SIZE]; /* of the folder at hand, below the root */
};

static void close_folder(DIR **folder)
{
    if (*folder != NULL) {
        (void)closedir(*folder);
    }
}

static bool enter(struct search *search, const char *name)
{
    const int n = snprintf(search->path + search->len, sizeof(search->path) - search->len, "/%s", name);

    if (n < 0 || (size_t)n >= sizeof(search->path) - search->len) {
        search->path[search->len] = '\0';
        return false;
    }
    search->len += (size_t)n;
    return true;
}

static void leave(struct search *search, size_t len)
{
    search->len = len;
    search->path[len] = '\0';
}

/* Looks at the folders that are n_levels below this one. True: search->path is it. */
static bool look(struct search *search, int parent, const char *name, int n_levels)
{
    const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    CLEANUP(close_folder) DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    const size_t len = search->len;
    const struct dirent *entry;

    if (folder == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return false;
    }
    while (search->n_folders < FOLDERS_MAX && (entry = readdir(folder)) != NULL) {
        if (entry->d_type != DT_DIR || str_equal(entry->d_name, ".") || str_equal(entry->d_name, "..") ||
            !enter(search, entry->d_name)) {
            continue;
        }
        search->has_more |= n_levels == 0;
        search->n_folders++;
        if (n_levels == 0 ? entry->d_ino == search->id : look(search, fd, entry->d_name, n_levels - 1)) {
            return true;
        }
        leave(search, len);
    }
    return false;
}

/* Where systemd has them: alone, or beside the groups of v1. */
static const char *system_root(void)
{
    static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        struct statfs info;
        if (statfs(roots[i], &info) == 0 && (uint64_t)info.f_type == CGROUP2_SUPER_MAGIC) {
            return roots[i];
        }
    }
    return NULL;
}

void unit_of_cgroup_id(const char *root, uint64_t id, char ret_unit[UNIT_SIZE])
{
    struct search search = { .id = id, .has_more = true };

    ret_unit[0] = '\0';
    root = root == NULL ? system_root() : root;
    if (root == NULL || id <= 1) { /* 1 is the root itself */
        return;
    }
    for (int depth = 0; depth < DEPTH_MAX && search.has_more; depth++) {
        search.has_more = false;
        if (look(&search, AT_FDCWD, root, depth)) {
            unit_of_cgroup(search.path, ret_unit);
            return;
        }
    }
}
