/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGNERD_ENGINES_H
#define SIGNERD_ENGINES_H

#include "pkcs11/engine.h"

/* By name; NULL is cryptoki. KEYSTAY_E_CONFIG when this build has none of that name. Static. */
enum keystay_status engines_find(
    const char *name, const struct p11_engine **ret_engine, struct keystay_error *err);

#endif
