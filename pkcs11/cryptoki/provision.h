/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_PROVISION_H
#define PKCS11_CRYPTOKI_PROVISION_H

/*
 * Keys made on a token. What is made here is made to stay: the token is asked for a key that it never hands
 * out, asked again what it made, and a key that is anything else is destroyed at once.
 */

#include "base/buf.h"
#include "pkcs11/choose.h"
#include "pkcs11/cryptoki/key.h"
#include "pkcs11/cryptoki/kind.h"
#include "pkcs11/settings.h"

struct provision_wish {
    const struct provision_kind *kind;
    struct slice id;    /* empty: the first free one of 01 to FF */
    struct slice label; /* empty: none */
    bool replaces;      /* a key that has this id or label is removed when the new one is there */
    const struct public_key *public_key; /* of a key that was made elsewhere; NULL: it is not there yet */
};

/* Which key it is about, and on which token. */
struct provision_key {
    struct p11_token token;
    struct p11_key key;
    unsigned int bits;
    size_t n_certificates; /* on the token, of the key; of a key to be deleted */
};

/* Appends "pkcs11:token=...;id=%01", which means this key on this token. */
enum keystay_status provision_put_uri(
    const struct provision_key *key, struct buf *ret_text, struct keystay_error *err);

/*
 * Makes a key on the token of settings' URI. KEYSTAY_E_AMBIGUOUS when its id or label is taken and nothing
 * is to be replaced, or more than one key would be; KEYSTAY_E_KEY_REFUSED when what the token made was not
 * what was asked for: then it is destroyed again.
 */
enum keystay_status provision_generate(
    const struct p11_settings *settings, const struct provision_wish *wish, struct provision_key *ret_made,
    struct keystay_error *err);

/* provision_generate's own work, in a session that may write. */
enum keystay_status provision_make_key(
    const struct p11_session *session, const struct provision_wish *wish, struct p11_key *ret_key,
    struct keystay_error *err);
#endif
