/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/discover.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "pkcs11/cryptoki/slot.h"
#include "pkcs11/registry.h"

/* How many tokens of the module fit; 0 for a module that does not work. */
static size_t count_fitting(
    const struct p11_settings *settings, struct registry_entry *entry, struct p11_token *tokens)
{
    struct p11_settings one = *settings; /* a shallow copy: settings keeps what is owned */
    CLEANUP(module_closep) struct p11_module module = { 0 };
    struct keystay_error error = { 0 };
    size_t n = 0;

    one.module_path = entry->path;
    if (slot_list_fitting(&one, &module, tokens, &n, &error) != KEYSTAY_OK) {
        log_step(settings->log, "module '%s' is passed over: %s", entry->name, error.message);
        return 0;
    }
    log_step(settings->log, "module '%s': %zu fitting tokens", entry->name, n);
    return n;
}

static enum keystay_status take(
    struct p11_settings *settings, const struct registry_entry *entry, struct keystay_error *err)
{
    settings->module_path = strdup(entry->path);
    return settings->module_path == NULL ? err_no_memory(err) : KEYSTAY_OK;
}

enum keystay_status discover_module(struct p11_settings *settings, struct keystay_error *err)
{
    CLEANUP(freep) struct registry *registry = NULL;
    CLEANUP(freep) struct p11_token *tokens = calloc(P11_TOKENS_MAX, sizeof(*tokens));
    struct registry_entry *found[REGISTRY_MAX];
    size_t n_found = 0;

    if (tokens == NULL) {
        return err_no_memory(err);
    }
    TRY(registry_read(&registry, err));
    for (size_t i = 0; i < registry->n; i++) {
        if (count_fitting(settings, &registry->entries[i], tokens) > 0) {
            found[n_found++] = &registry->entries[i];
        }
    }
    if (n_found == 1) {
        return take(settings, found[0], err);
    }
    if (n_found == 0) {
        return err_set_hint(
            err, KEYSTAY_E_TOKEN_NOT_FOUND,
            "give --module the token's PKCS#11 library; --verbose tells what became of each module",
            "none of the system's %zu PKCS#11 modules has a token that fits the key URI", registry->n);
    }
    (void)err_set_hint(
        err, KEYSTAY_E_AMBIGUOUS, "give --module one of these, or add the token's serial to the --key URI",
        "tokens of several PKCS#11 modules fit the key URI, and keystay does not guess:");
    for (size_t i = 0; i < n_found; i++) {
        err_append(err, "\n  %s  %s", found[i]->name, found[i]->path);
    }
    return KEYSTAY_E_AMBIGUOUS;
}
