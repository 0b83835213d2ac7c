/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_KIND_H
#define PKCS11_CRYPTOKI_KIND_H

/* The kinds of keys that a token is asked for. */

#include <p11-kit/pkcs11.h>

#include "crypto/public_key.h"

struct provision_kind {
    const char *name; /* "rsa:2048", "ec:P-256", ... */
    const char *words;
    CK_KEY_TYPE type;
    CK_MECHANISM_TYPE mechanism;
    CK_ULONG bits;
    struct slice ec_params; /* DER of the curve's object identifier (RFC 5480 §2.1.1.1) */
};

/* NULL for any other name. */
const struct provision_kind *provision_kind_by_name(const char *name);

/* That of a key which was made elsewhere; NULL when there is none. */
const struct provision_kind *provision_kind_of(const struct public_key *key);

#endif
