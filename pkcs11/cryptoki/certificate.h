/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_CERTIFICATE_H
#define PKCS11_CRYPTOKI_CERTIFICATE_H

#include "crypto/certificate.h"
#include "pkcs11/cryptoki/key.h"

/*
 * Which of n certificates is used with the key: of those that have its public key the one that
 * certificate_is_preferred says, the first of equal ones. It need not be valid: certificate_check says what
 * is wrong with it. Where the token does not tell the public key, they have to be of one key; the first
 * signature, verified before it leaves, is the proof then. n when there is none.
 */
size_t certificate_choose(
    const struct p11_key *key, struct certificate *const *candidates, size_t n, int64_t now_s);

/*
 * The certificate on the token that has the key's public key. An equal id is where the search begins, never
 * the proof: YubiKeys show their attestation under the same id. uri, or NULL, narrows the search. Of several
 * certificate_choose says which. Owned. KEYSTAY_E_CERTIFICATE when there is none.
 */
enum keystay_status token_certificate_find(
    const struct p11_session *session, struct p11_key *key, const struct p11_uri *uri, int64_t now_s,
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
