/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_CERTIFICATE_H
#define PKCS11_CRYPTOKI_CERTIFICATE_H

#include "crypto/certificate.h"
#include "pkcs11/cryptoki/key.h"

/*
 * The certificate on the token that has the key's public key. An equal id is where the search begins, never
 * the proof: YubiKeys show their attestation under the same id. uri, or NULL, narrows the search. Owned. A
 * token that does not tell the public key at all is believed when it has one certificate under the key's id:
 * the first signature, verified before it leaves, is the proof then. KEYSTAY_E_CERTIFICATE when there is
 * none.
 */
enum keystay_status token_certificate_find(
    const struct p11_session *session, struct p11_key *key, const struct p11_uri *uri,
    struct certificate **ret_certificate, struct keystay_error *err);

/* That of one object, owned; NULL when it holds none that can be read. */
enum keystay_status token_certificate_read(
    const struct p11_session *session, CK_OBJECT_HANDLE object, struct certificate **ret_certificate,
    struct keystay_error *err);

/* All that are on a token and can be read. */
struct token_certificates {
    const struct certificate **items; /* owned, each */
    struct token_certificate_id {
        uint8_t bytes[KEY_ID_MAX];
        size_t len; /* 0: none, or one that is too long to be a key's */
    } * ids;
    size_t n;
};

/* Appends. The caller clears *list, also after a failure. */
enum keystay_status token_certificates_read(
    const struct p11_session *session, struct token_certificates *list, struct keystay_error *err);

/* For CLEANUP. */
void token_certificates_clear(struct token_certificates *list);

#endif
