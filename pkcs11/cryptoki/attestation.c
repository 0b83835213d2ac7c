/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/attestation.h"

static bool has_id_of(const struct token_certificate_id *id, const struct p11_key *key)
{
    return key->id_len > 0 &&
           slice_equal((struct slice){ id->bytes, id->len }, (struct slice){ key->id, key->id_len });
}

/* An id proves nothing: the public key has to be the same. */
static bool is_about_key(const struct certificate *certificate, const struct attestation_question *question)
{
    if (question->public_key != NULL) {
        return public_key_equal(certificate_public_key(certificate), question->public_key);
    }
    return key_belongs_to(question->key, certificate) == KEY_BELONGS_YES;
}

struct p11_key_proof token_attestation_judge(
    const struct token_certificates *certificates, const struct attestation_question *question)
{
    struct p11_key_proof proof = { .verdict = ATTESTATION_NONE };

    for (size_t i = 0; i < certificates->n && proof.verdict != ATTESTATION_PROVEN; i++) {
        const struct certificate *certificate = certificates->items[i];
        enum attestation_verdict verdict = ATTESTATION_OTHER_KEY;

        if (!attestation_is_of_key(certificate) || !has_id_of(&certificates->ids[i], question->key)) {
            continue;
        }
        if (question->trust == NULL || is_about_key(certificate, question)) {
            verdict = attestation_verify(
                question->trust, certificate, certificates->items, certificates->n, question->now_s,
                &proof.attestation);
        }
        proof.verdict = verdict > proof.verdict ? verdict : proof.verdict;
    }
    return proof;
}

enum keystay_status token_attestation_find(
    const struct p11_session *session, const struct attestation_question *question,
    struct p11_key_proof *ret_proof, struct keystay_error *err)
{
    CLEANUP(token_certificates_clear) struct token_certificates certificates = { 0 };

    if (question->trust == NULL) {
        *ret_proof = (struct p11_key_proof){ .verdict = ATTESTATION_NO_CA };
        return KEYSTAY_OK;
    }
    TRY(token_certificates_read(session, &certificates, err));
    *ret_proof = token_attestation_judge(&certificates, question);
    return KEYSTAY_OK;
}
