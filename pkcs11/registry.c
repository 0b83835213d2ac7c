/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/registry.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"

enum { FILE_MAX = 64 * 1024 };

static const char suffix[] = ".module";

static void dir_closep(DIR **dir)
{
    if (*dir != NULL) {
        (void)closedir(*dir);
    }
}

static bool has_suffix(const char *name)
{
    size_t len = strlen(name);

    return len > sizeof(suffix) - 1 && len < REGISTRY_NAME_SIZE &&
           str_equal(name + len - (sizeof(suffix) - 1), suffix);
}

/* "key: value" with blanks around both; the value is in place, or NULL. */
static char *value_of(char *line, const char *key)
{
    size_t key_len = strlen(key);

    line += strspn(line, " \t");
    if (strncmp(line, key, key_len) != 0) {
        return NULL;
    }
    line += key_len;
    line += strspn(line, " \t");
    if (*line != ':') {
        return NULL;
    }
    line++;
    line += strspn(line, " \t");
    line[strcspn(line, "\r")] = '\0';
    for (size_t len = strlen(line); len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'); len--) {
        line[len - 1] = '\0';
    }
    return line;
}

/* False for a file that names no module, or one that only says which CAs to trust. */
static bool parse(char *content, const char *module_dir, char ret_path[REGISTRY_PATH_SIZE])
{
    char *rest = NULL;
    bool has_path = false;

    for (char *line = strtok_r(content, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        const char *path = value_of(line, "module");
        const char *trust = value_of(line, "trust-policy");

        if (trust != NULL && str_equal(trust, "yes")) {
            return false;
        }
        if (path != NULL && path[0] != '\0') {
            int len = snprintf(
                ret_path, REGISTRY_PATH_SIZE, "%s%s%s", path[0] == '/' ? "" : module_dir,
                path[0] == '/' ? "" : "/", path);
            has_path = len > 0 && len < REGISTRY_PATH_SIZE;
        }
    }
    return has_path;
}

static void add_file(const char *dir, const char *name, const char *module_dir, struct registry *registry)
{
    CLEANUP(buf_clear) struct buf content = BUF(FILE_MAX);
    char path[REGISTRY_PATH_SIZE];
    struct registry_entry *entry = &registry->entries[registry->n];

    if (registry->n == REGISTRY_MAX ||
        snprintf(path, sizeof(path), "%s/%s", dir, name) >= REGISTRY_PATH_SIZE ||
        file_read(path, "the module's file", KEYSTAY_E_CONFIG, &content, NULL) != KEYSTAY_OK ||
        content.len == 0) {
        return;
    }
    (void)snprintf(
        entry->name, sizeof(entry->name), "%.*s", (int)(strlen(name) - (sizeof(suffix) - 1)), name);
    registry->n += parse((char *)content.data, module_dir, entry->path) ? 1 : 0;
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct registry_entry *)a)->name, ((const struct registry_entry *)b)->name);
}

enum keystay_status registry_read_dirs(
    const char *const *dirs, size_t n_dirs, const char *module_dir, struct registry **ret_registry,
    struct keystay_error *err)
{
    CLEANUP(freep) struct registry *registry = calloc(1, sizeof(*registry));

    if (registry == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < n_dirs; i++) {
        CLEANUP(dir_closep) DIR *dir = opendir(dirs[i]);
        const struct dirent *file = NULL;

        while (dir != NULL &&
               (file = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): the DIR is our own */
            if (has_suffix(file->d_name)) {
                add_file(dirs[i], file->d_name, module_dir, registry);
            }
        }
    }
    qsort(registry->entries, registry->n, sizeof(registry->entries[0]), compare_entries);
    *ret_registry = take_ptr(&registry);
    return KEYSTAY_OK;
}

enum keystay_status registry_read(struct registry **ret_registry, struct keystay_error *err)
{
    static const char *const dirs[] = { P11_MODULE_CONFIGS, P11_SYSTEM_CONFIG_MODULES };
    size_t n_dirs = str_equal(dirs[0], dirs[1]) ? 1 : 2;

    return registry_read_dirs(dirs, n_dirs, P11_MODULE_PATH, ret_registry, err);
}

enum keystay_status registry_find(
    const struct registry *registry, const char *name, const char **ret_path, struct keystay_error *err)
{
    for (size_t i = 0; i < registry->n; i++) {
        if (str_equal(registry->entries[i].name, name)) {
            *ret_path = registry->entries[i].path;
            return KEYSTAY_OK;
        }
    }
    (void)err_set_hint(
        err, KEYSTAY_E_MODULE_LOAD, "give the module's full path, or one of these names",
        "module '%s' must be given with its full path, or be a name of the system's registry:", name);
    for (size_t i = 0; i < registry->n; i++) {
        err_append(err, "\n  %s  %s", registry->entries[i].name, registry->entries[i].path);
    }
    return KEYSTAY_E_MODULE_LOAD;
}
