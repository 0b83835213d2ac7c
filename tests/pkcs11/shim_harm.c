/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* environ */

#include "shim_harm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DESCRIPTORS = 1024, EXIT_STATUS = 3, CHILD_LIVES_S = 20 };

struct harm {
    const char *word;
    void (*act)(void);
};

static void leave(void)
{
    exit(EXIT_STATUS);
}

static void crash(void)
{
    /* Not NULL, which a sanitizer would notice before the kernel does; nor anything a compiler knows. */
    static volatile int *volatile nowhere = (volatile int *)sizeof(int);

    *nowhere = 1;
}

static void vanish(void)
{
    (void)raise(SIGKILL);
}

static void hang(void)
{
    for (;;) {
        (void)pause();
    }
}

static void close_all(void)
{
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        (void)close(fd);
    }
}

static void print(void)
{
    (void)printf("shim: a word on stdout\n");
    (void)fflush(stdout);
}

/* The child stays, with all that it has inherited; not for ever, or every test run would leave one behind. */
static void fork_and_stay(void)
{
    if (fork() == 0) {
        (void)alarm(CHILD_LIVES_S);
        hang();
    }
}

static const struct harm harms[] = {
    { "exit", leave }, { "abort", abort },     { "crash", crash }, { "vanish", vanish },
    { "hang", hang },  { "close", close_all }, { "print", print }, { "fork", fork_and_stay },
};

const struct harm *harm_by_name(const char *word, size_t len)
{
    for (size_t i = 0; i < sizeof(harms) / sizeof(harms[0]); i++) {
        if (strlen(harms[i].word) == len && memcmp(harms[i].word, word, len) == 0) {
            return &harms[i];
        }
    }
    return NULL;
}

void harm_do(const struct harm *harm)
{
    harm->act();
}

bool harm_is_due(void)
{
    const char *path = getenv("SHIM_ONCE");
    int fd = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0) {
        (void)close(fd);
    }
    return path == NULL || fd >= 0;
}

static void write_descriptors(FILE *file)
{
    char path[64];
    char target[512];

    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        ssize_t len = fd == fileno(file) ? -1 : readlink(path, target, sizeof(target) - 1);
        if (len >= 0) {
            (void)fprintf(file, "%d %.*s\n", fd, (int)len, target);
        }
    }
}

void harm_write_sight(void)
{
    const char *path = getenv("SHIM_SIGHT");
    FILE *file = path == NULL ? NULL : fopen(path, "we");

    if (file == NULL) {
        return;
    }
    for (size_t i = 0; environ[i] != NULL; i++) {
        (void)fprintf(file, "%s\n", environ[i]);
    }
    write_descriptors(file);
    (void)fclose(file);
}
