/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_ATTESTATION_H
#define PKCS11_CRYPTOKI_ATTESTATION_H

/*
 * The attestation of a key among the certificates of its token. A module that shows any (Yubico's) shows it
 * as a certificate under the key's id, and the device's own one beside it.
 */

#include "pkcs11/choose.h"
#include "pkcs11/cryptoki/certificate.h"

/* What is to be proven, and who is believed. All borrowed. */
struct attestation_question {
    const struct p11_key *key;
    const struct public_key *public_key;   /* of it; NULL: what the token tells of the private key */
    const struct attestation_trust *trust; /* NULL: nobody */
    int64_t now_s;
};

/* Of several attestations the one that proves most. Serials are not compared. */
struct p11_key_proof token_attestation_judge(
    const struct token_certificates *certificates, const struct attestation_question *question);

/* The same with the certificates read here, all of the token's; none is read when nobody is believed. */
enum keystay_status token_attestation_find(
    const struct p11_session *session, const struct attestation_question *question,
    struct p11_key_proof *ret_proof, struct keystay_error *err);

#endif
