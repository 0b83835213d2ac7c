/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_SLOT_H
#define PKCS11_CRYPTOKI_SLOT_H

#include "pkcs11/choose.h"
#include "pkcs11/cryptoki/module.h"

/*
 * The one present token that the URI means. When none fits, the module is told to look at its readers again
 * before that is an error. module_path is for messages.
 */
enum keystay_status slot_find_token(
    struct p11_module *module, const char *module_path, const struct p11_uri *uri,
    struct p11_token *ret_token, struct keystay_error *err);

#endif
