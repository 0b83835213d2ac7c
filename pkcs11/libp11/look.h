/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_LIBP11_LOOK_H
#define PKCS11_LIBP11_LOOK_H

/*
 * Finds again, among what libp11 lists, the token and the key that were settled before (cryptoki/settle.h).
 * Nothing is chosen here: what cannot be told apart is refused.
 */

#include "pkcs11/cryptoki/settle.h"
#include "pkcs11/libp11/context.h"

/* By label, serial, manufacturer and model; of equal ones that in the same slot. Borrowed until a release. */
enum keystay_status look_for_token(
    const struct p11_context *context, const struct p11_signer *settled, const char *where,
    PKCS11_SLOT **ret_slot, struct keystay_error *err);

/*
 * The private key with the settled id, and label where several have the id; its public half must be the
 * certificate's where the token tells it. *ret_key is owned. KEYSTAY_E_KEY_REFUSED when libp11 shows no keys
 * at all, because one of them is of a type that it does not know.
 */
enum keystay_status look_for_key(
    PKCS11_SLOT *slot, const struct p11_signer *settled, const char *where, EVP_PKEY **ret_key,
    struct keystay_error *err);

#endif
