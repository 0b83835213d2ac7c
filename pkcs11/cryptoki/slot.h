/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_SLOT_H
#define PKCS11_CRYPTOKI_SLOT_H

#include "pkcs11/choose.h"
#include "pkcs11/cryptoki/module.h"
#include "pkcs11/settings.h"

/*
 * The one present token that the URI means. When none fits, the module is told to look at its readers again
 * before that is an error. module_path is for messages.
 */
enum keystay_status slot_find_token(
    struct p11_module *module, const char *module_path, const struct p11_uri *uri,
    struct p11_token *ret_token, struct keystay_error *err);

/*
 * The same for who has just opened the module and can wait a moment: a token that is not there is looked for
 * twice more, in a module that was initialised anew where nobody else uses it. SoftHSM empties a token's file
 * while somebody logs in to it, and who initialises the module at that moment never sees the token (measured
 * with SoftHSM 2.6.1). The caller does not hold the gate.
 */
enum keystay_status slot_find_token_patiently(
    struct p11_module *module, const char *module_path, const struct p11_uri *uri,
    struct p11_token *ret_token, struct keystay_error *err);

/*
 * All initialised tokens that the key URI of settings fits, into room for P11_TOKENS_MAX. A token that cannot
 * be looked at is an error when no other fits. The module is left open, also after a failure: a link to one
 * of them shares it, and to initialise it anew may take as long as all that is done there.
 */
enum keystay_status slot_list_fitting(
    const struct p11_settings *settings, struct p11_module *module, struct p11_token *ret_tokens,
    size_t *ret_n, struct keystay_error *err);

#endif
