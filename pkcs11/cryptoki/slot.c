/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/slot.h"

#include <stdlib.h>

#include "base/error.h"
#include "pkcs11/cryptoki/recovery.h"
#include "pkcs11/rv.h"

enum { LOOKS = 3 };

struct token_list {
    struct p11_token items[P11_TOKENS_MAX];
    size_t n;
    CK_RV failure; /* of the first token that could not be looked at, or CKR_OK */
};

/* One call for the list itself: asking for the number first would cost a second one in the usual case. */
static enum keystay_status list_slots(
    struct p11_module *module, const char *module_path, CK_SLOT_ID *ret_slots, CK_ULONG *ret_n,
    struct keystay_error *err)
{
    CK_ULONG n = P11_TOKENS_MAX;
    CK_RV rv = P11(module, C_GetSlotList, CK_TRUE, ret_slots, &n);

    if ((rv == CKR_BUFFER_TOO_SMALL || rv == CKR_OK) && n > P11_TOKENS_MAX) {
        return err_set_hint(
            err, KEYSTAY_E_MODULE, "give the module a configuration with fewer slots",
            "module '%s' has %lu tokens; keystay looks at %d at the most", module_path, n, P11_TOKENS_MAX);
    }
    if (rv != CKR_OK) {
        return rv_error(rv, "C_GetSlotList", module_path, err);
    }
    *ret_n = n;
    return KEYSTAY_OK;
}

static enum keystay_status check_slot(
    struct p11_module *module, const char *module_path, const struct p11_uri *uri, struct p11_token *token,
    struct keystay_error *err)
{
    CK_SLOT_INFO info = { 0 };

    token->fits_slot = true;
    if (p11_uri_wants_slot_info(uri)) {
        CK_RV rv = P11(module, C_GetSlotInfo, token->slot, &info);
        if (rv != CKR_OK) {
            return rv_error(rv, "C_GetSlotInfo", module_path, err);
        }
        token->fits_slot = p11_uri_matches_slot(uri, &info);
    }
    return KEYSTAY_OK;
}

/* A token that vanishes while it is looked at, or a card that the module does not know, is not there. */
static bool is_absent(CK_RV rv)
{
    return rv == CKR_TOKEN_NOT_PRESENT || rv == CKR_TOKEN_NOT_RECOGNIZED || rv == CKR_DEVICE_REMOVED ||
           rv == CKR_SLOT_ID_INVALID;
}

static enum keystay_status list_tokens(
    struct p11_module *module, const char *module_path, const struct p11_uri *uri, struct token_list *list,
    struct keystay_error *err)
{
    CK_SLOT_ID slots[P11_TOKENS_MAX] = { 0 }; /* a count may be a lie */
    CK_ULONG n_slots = 0;

    list->n = 0;
    list->failure = CKR_OK;
    TRY(list_slots(module, module_path, slots, &n_slots, err));
    for (CK_ULONG i = 0; i < n_slots; i++) {
        struct p11_token *token = &list->items[list->n];

        *token = (struct p11_token){ .slot = slots[i] };
        CK_RV rv = P11(module, C_GetTokenInfo, slots[i], &token->info);
        if (rv != CKR_OK) {
            /* One broken token must not stand in the way of another. */
            list->failure = list->failure != CKR_OK || is_absent(rv) ? list->failure : rv;
            continue;
        }
        TRY(check_slot(module, module_path, uri, token, err));
        choose_name_token(token);
        list->n++;
    }
    return KEYSTAY_OK;
}

static enum keystay_status check_library(
    struct p11_module *module, const char *module_path, const struct p11_uri *uri, struct keystay_error *err)
{
    CK_INFO info = { 0 };

    if (!p11_uri_wants_library_info(uri)) {
        return KEYSTAY_OK;
    }
    CK_RV rv = P11(module, C_GetInfo, &info);
    if (rv != CKR_OK) {
        return rv_error(rv, "C_GetInfo", module_path, err);
    }
    if (!p11_uri_matches_library(uri, &info)) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "correct the URI, or give the module that it means",
            "module '%s' is not the library that the key URI asks for", module_path);
    }
    return KEYSTAY_OK;
}

enum keystay_status slot_find_token(
    struct p11_module *module, const char *module_path, const struct p11_uri *uri,
    struct p11_token *ret_token, struct keystay_error *err)
{
    CLEANUP(freep) struct token_list *list = malloc(sizeof(*list));
    const struct p11_token *found = NULL;

    if (list == NULL) {
        return err_no_memory(err);
    }
    TRY(check_library(module, module_path, uri, err));
    TRY(list_tokens(module, module_path, uri, list, err));
    enum keystay_status status = choose_token(list->items, list->n, uri, &found, err);
    if (status == KEYSTAY_E_TOKEN_NOT_FOUND) {
        /* PKCS #11 v3.0 §5.5: the set of slots can change only when C_GetSlotList is called with NULL. */
        CK_ULONG n = 0;
        (void)P11(module, C_GetSlotList, CK_FALSE, NULL, &n);
        TRY(list_tokens(module, module_path, uri, list, err));
        status = choose_token(list->items, list->n, uri, &found, err);
    }
    if (status == KEYSTAY_E_TOKEN_NOT_FOUND && list->failure != CKR_OK) {
        return rv_error(list->failure, "C_GetTokenInfo", module_path, err);
    }
    TRY(status);
    *ret_token = *found;
    return KEYSTAY_OK;
}

static bool may_return(enum keystay_status status, const struct keystay_error *error)
{
    return status == KEYSTAY_E_TOKEN_NOT_FOUND ||
           (status != KEYSTAY_OK && recovery_wants_pause((CK_RV)error->ck_rv));
}

enum keystay_status slot_find_token_patiently(
    struct p11_module *module, const char *module_path, const struct p11_uri *uri,
    struct p11_token *ret_token, struct keystay_error *err)
{
    struct keystay_error error = { 0 };
    enum keystay_status status = slot_find_token(module, module_path, uri, ret_token, &error);

    for (int i = 1; i < LOOKS && may_return(status, &error); i++) {
        recovery_wait_for_token();
        TRY(module_reinitialize_if_alone(module, err));
        error = (struct keystay_error){ 0 };
        status = slot_find_token(module, module_path, uri, ret_token, &error);
    }
    if (status != KEYSTAY_OK && err != NULL) {
        *err = error;
    }
    return status;
}

enum keystay_status slot_list_fitting(
    const struct p11_settings *settings, struct p11_module *module, struct p11_token *ret_tokens,
    size_t *ret_n, struct keystay_error *err)
{
    CLEANUP(freep) struct token_list *list = malloc(sizeof(*list));
    const char *path = settings->module_path;
    CK_ULONG n_slots = 0;
    size_t n_fitting = 0;

    if (list == NULL) {
        return err_no_memory(err);
    }
    TRY(module_open(path, settings->module_args, settings->watch, module, err));
    TRY(check_library(module, path, settings->key, err));
    (void)P11(module, C_GetSlotList, CK_FALSE, NULL, &n_slots);
    TRY(list_tokens(module, path, settings->key, list, err));
    for (size_t i = 0; i < list->n; i++) {
        if (choose_fits(&list->items[i], settings->key)) {
            ret_tokens[n_fitting++] = list->items[i];
        }
    }
    if (n_fitting == 0 && list->failure != CKR_OK) {
        return rv_error(list->failure, "C_GetTokenInfo", path, err);
    }
    *ret_n = n_fitting;
    return KEYSTAY_OK;
}
