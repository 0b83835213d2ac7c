/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_MODULE_FILE_H
#define PKCS11_MODULE_FILE_H

#include "base/base.h"

/*
 * The module's file behind all links, as the one name that is loaded. Whoever can write to it, or to a folder
 * on the way, has the PIN: the file and its folders must belong to root or to this user, and nobody else may
 * write to them (a sticky folder such as /tmp is fine: there nobody can put a file in another's place).
 * KEYSTAY_E_MODULE_LOAD. *ret_path is owned.
 */
enum keystay_status module_file_resolve(const char *path, char **ret_path, struct keystay_error *err);

#endif
