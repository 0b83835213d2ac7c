/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_REGISTRY_H
#define PKCS11_REGISTRY_H

/*
 * The system's list of PKCS#11 modules (pkcs11.conf(5)): one file a module, "opensc.module" with a line
 * "module: PATH". Read without loading anything, so that a name costs no more than a path. Only the system's
 * folders are read: whoever can write to a module's file gets the PIN.
 */

#include "base/base.h"

enum { REGISTRY_MAX = 32, REGISTRY_NAME_SIZE = 64, REGISTRY_PATH_SIZE = 512 };

struct registry_entry {
    char name[REGISTRY_NAME_SIZE]; /* without ".module" */
    char path[REGISTRY_PATH_SIZE]; /* absolute */
};

struct registry {
    struct registry_entry entries[REGISTRY_MAX];
    size_t n;
};

/* The system's modules that may hold keys: trust stores are left out. Owned, by free(). */
enum keystay_status registry_read(struct registry **ret_registry, struct keystay_error *err);

/* The same from folders of the caller's; a relative PATH is below module_dir. */
enum keystay_status registry_read_dirs(
    const char *const *dirs, size_t n_dirs, const char *module_dir, struct registry **ret_registry,
    struct keystay_error *err);

/* Borrowed from registry. KEYSTAY_E_MODULE_LOAD lists the names that there are. */
enum keystay_status registry_find(
    const struct registry *registry, const char *name, const char **ret_path, struct keystay_error *err);

#endif
