/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_CERTIFICATE_H
#define PKCS11_CRYPTOKI_CERTIFICATE_H

#include "crypto/certificate.h"
#include "pkcs11/cryptoki/key.h"

/*
 * The certificate on the token that has the key's public key. An equal id is where the search begins, never
 * the proof: YubiKeys show their attestation under the same id. uri, or NULL, narrows the search. Owned.
 * KEYSTAY_E_CERTIFICATE when there is none.
 */
enum keystay_status token_certificate_find(
    const struct p11_session *session, const struct p11_key *key, const struct p11_uri *uri,
    struct certificate **ret_certificate, struct keystay_error *err);

/* Says whether the certificate belongs to the key; KEYSTAY_E_KEY_MISMATCH otherwise. */
enum keystay_status token_certificate_check_key(
    const struct p11_session *session, const struct p11_key *key, const struct certificate *certificate,
    struct keystay_error *err);

#endif
