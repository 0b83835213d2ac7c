/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct scratch scratch_new(void)
{
    struct scratch folder = { "/tmp/keystay-unit-XXXXXX" };

    assert_non_null(mkdtemp(folder.path));
    return folder;
}

static void remove_tree(const char *path)
{
    DIR *folder = remove(path) == 0 ? NULL : opendir(path);

    if (folder == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char inner[2 * SCRATCH_PATH_SIZE];

        (void)snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            remove_tree(inner);
        }
    }
    (void)closedir(folder);
    (void)rmdir(path);
}

void scratch_remove(struct scratch *folder)
{
    remove_tree(folder->path);
}

const char *scratch_path(const struct scratch *folder, const char *name, char ret_path[SCRATCH_PATH_SIZE])
{
    assert_true(snprintf(ret_path, SCRATCH_PATH_SIZE, "%s/%s", folder->path, name) < SCRATCH_PATH_SIZE);
    return ret_path;
}

void scratch_put(const struct scratch *folder, const char *name, struct slice content, mode_t mode)
{
    char path[SCRATCH_PATH_SIZE];
    int fd = open(scratch_path(folder, name, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_true(content.len == 0 || write(fd, content.data, content.len) == (ssize_t)content.len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

struct kept_env env_set(const char *name, const char *value)
{
    const char *before = getenv(name);
    struct kept_env kept = { name, before == NULL ? NULL : strdup(before) };

    assert_int_equal(value == NULL ? unsetenv(name) : setenv(name, value, 1), 0);
    return kept;
}

void env_restore(struct kept_env *kept)
{
    (void)(kept->before == NULL ? unsetenv(kept->name) : setenv(kept->name, kept->before, 1));
    free(kept->before);
}

static void hear(void *context, enum keystay_log_level level, const char *text)
{
    struct ear *ear = context;

    *(level == KEYSTAY_LOG_WARNING ? &ear->n_warnings : &ear->n_steps) += 1;
    (void)snprintf(ear->last, sizeof(ear->last), "%s", text);
}

void ear_init(struct ear *ear)
{
    *ear = (struct ear){ .log = { hear, ear } };
}

int is_under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

void sleep_ms(int ms)
{
    const struct timespec pause = { ms / 1000, (long)(ms % 1000) * 1000000 };

    (void)nanosleep(&pause, NULL);
}
