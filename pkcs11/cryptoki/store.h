/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_STORE_H
#define PKCS11_CRYPTOKI_STORE_H

/* A certificate put beside its key. */

#include "crypto/certificate.h"
#include "pkcs11/cryptoki/object.h"
#include "pkcs11/settings.h"
#include "signer/signer.h"

/*
 * A signer of the first engine for a key that need not have a certificate (signer_public_key). may_write: a
 * certificate will be stored. settings is taken, as by settle; *ret_signer is owned.
 */
enum keystay_status store_open_signer(
    struct p11_settings *settings, bool may_write, struct keystay_signer **ret_signer,
    struct keystay_error *err);

/*
 * Puts a certificate onto the token, with the key's id and label; those that are there stay. signer is from
 * store_open_signer. KEYSTAY_E_KEY_MISMATCH, before the token is asked, unless the certificate is the key's.
 */
enum keystay_status store_certificate(
    struct keystay_signer *signer, const struct certificate *certificate, struct keystay_error *err);

/* Puts any certificate onto a token, in a session that may write. */
enum keystay_status store_put(
    const struct p11_session *session, struct slice id, struct slice label,
    const struct certificate *certificate, CK_OBJECT_HANDLE *ret_object, struct keystay_error *err);

#endif
