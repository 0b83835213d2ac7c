/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_REMOVAL_H
#define PKCS11_CRYPTOKI_REMOVAL_H

/* Keys removed from a token, for good: all that there is of a key, and nothing of another. */

#include "pkcs11/cryptoki/provision.h"

/* Whether the key is to be deleted: anything but KEYSTAY_OK is forwarded, and nothing was done. */
typedef enum keystay_status (*provision_consent)(
    const struct provision_key *key, void *context, struct keystay_error *err);

/*
 * Deletes the one key that settings' URI means, private and public object, and with_certificates those with
 * its public key. *ret_n_removed is how many objects are gone; it is written also after a failure.
 */
enum keystay_status provision_delete(
    const struct p11_settings *settings, bool with_certificates, provision_consent consent, void *context,
    size_t *ret_n_removed, struct keystay_error *err);

/* Its own work, in a session that may write: the private key first, so that a refusal leaves all as it was.
 */
enum keystay_status provision_remove_key(
    const struct p11_session *session, const struct p11_key *key, bool with_certificates,
    size_t *ret_n_removed, struct keystay_error *err);

#endif
