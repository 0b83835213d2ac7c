/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_DISCOVER_H
#define PKCS11_CRYPTOKI_DISCOVER_H

#include "pkcs11/settings.h"

/*
 * When no module was configured: looks through the modules of the system's registry for the one with a token
 * that the key URI fits, and sets settings->module_path. Each is loaded and finalised again; nothing is sent
 * to a token. Modules that do not work are passed over with a remark. KEYSTAY_E_TOKEN_NOT_FOUND,
 * KEYSTAY_E_AMBIGUOUS.
 */
enum keystay_status discover_module(struct p11_settings *settings, struct keystay_error *err);

#endif
