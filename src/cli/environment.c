/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* environ */
#include "cli/environment.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef __GLIBC__
extern char **environ;
#endif

static bool is_one_of(const char *entry, const char *const *names)
{
    for (; *names != NULL; names++) {
        const size_t len = strlen(*names);

        if (strncmp(entry, *names, len) == 0 && entry[len] == '=') {
            return true;
        }
    }
    return false;
}

char **environment_without(const char *const *names, size_t n_more)
{
    size_t n = 0;

    while (environ[n] != NULL) {
        n++;
    }
    char **ours = calloc(n + n_more + 1, sizeof(*ours));
    for (size_t i = 0, kept = 0; ours != NULL && i < n; i++) {
        if (!is_one_of(environ[i], names)) {
            ours[kept++] = environ[i];
        }
    }
    return ours;
}
