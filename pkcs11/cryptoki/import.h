/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_IMPORT_H
#define PKCS11_CRYPTOKI_IMPORT_H

/*
 * A key that was made elsewhere, put into a token: sensitive and not extractable from then on, to sign and
 * nothing else. What became of it before nobody knows.
 */

#include "crypto/certificate.h"
#include "crypto/private_key.h"
#include "pkcs11/cryptoki/provision.h"

struct import_source {
    const struct private_key *key;
    const struct certificate *certificate; /* that of the key, to be stored beside it; NULL: none */
};

/*
 * Puts it onto the token of settings' URI, with the wish's name and by its rule for names; its kind is the
 * key's own. As provision_generate, and KEYSTAY_E_ALGORITHM for a key that no token is asked for. After a
 * failure nothing of it is left there, or the error says so.
 */
enum keystay_status provision_import(
    const struct p11_settings *settings, const struct provision_wish *wish,
    const struct import_source *source, struct provision_key *ret_made, struct keystay_error *err);

/* Its own work, in a session that may write. */
enum keystay_status provision_import_key(
    const struct p11_session *session, const struct provision_wish *wish, const struct import_source *source,
    struct p11_key *ret_key, struct keystay_error *err);

#endif
