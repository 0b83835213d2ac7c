/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_STATE_DIR_H
#define PKCS11_STATE_DIR_H

/* The folder for what the next process must know, too: refused PINs, and what was warned about. */

#include "base/base.h"

enum { STATE_DIR_SIZE = 400 };

/*
 * configured, or with NULL the default: $STATE_DIRECTORY, for root /var/lib/keystay, else
 * $XDG_STATE_HOME/keystay or ~/.local/state/keystay. KEYSTAY_E_CONFIG when there is none.
 */
enum keystay_status state_dir_find(
    const char *configured, char ret_dir[STATE_DIR_SIZE], struct keystay_error *err);

/* The same; what is missing of it is made, for this user alone. */
enum keystay_status state_dir_open(
    const char *configured, char ret_dir[STATE_DIR_SIZE], struct keystay_error *err);

#endif
