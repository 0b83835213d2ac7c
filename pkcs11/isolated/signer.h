/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_ISOLATED_SIGNER_H
#define PKCS11_ISOLATED_SIGNER_H

#include "keystay/pkcs11.h"

/* Opens a signer in a process of its own: keystay_pkcs11_open where the configuration asks for that. */
enum keystay_status isolated_open(
    const struct keystay_pkcs11_config *config, struct keystay_signer **ret_signer,
    struct keystay_error *err);

#endif
