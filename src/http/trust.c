/* SPDX-License-Identifier: Apache-2.0 */
#include "http/trust.h"

#include <dirent.h>
#include <string.h>

#include "base/base.h"

enum { HASH_DIGITS = 8 };

static void dir_closep(DIR **dir)
{
    if (*dir != NULL) {
        (void)closedir(*dir);
    }
}

static bool is_hashed_name(const char *name)
{
    return strspn(name, "0123456789abcdef") == HASH_DIGITS && name[HASH_DIGITS] == '.' &&
           strspn(name + HASH_DIGITS + 1, "0123456789") == strlen(name + HASH_DIGITS + 1) &&
           name[HASH_DIGITS + 1] != '\0';
}

bool trust_is_hashed_directory(const char *path)
{
    CLEANUP(dir_closep) DIR *dir = opendir(path);
    const struct dirent *entry = NULL;

    while (dir != NULL &&
           (entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): the DIR is our own */
        if (is_hashed_name(entry->d_name)) {
            return true;
        }
    }
    return false;
}
