/* SPDX-License-Identifier: Apache-2.0 */
#include "signer/signer.h"

#include "base/error.h"

const struct keystay_signer_info *keystay_signer_info(const struct keystay_signer *signer)
{
    return &signer->info;
}

int keystay_signer_can(const struct keystay_signer *signer, enum keystay_alg alg)
{
    return alg_by_id(alg) != NULL && (signer->algs & ALG_BIT(alg)) != 0;
}

enum keystay_status keystay_signer_check(struct keystay_signer *signer, struct keystay_error *err)
{
    return signer->ops->check(signer, err);
}

void keystay_signer_lock(struct keystay_signer *signer)
{
    signer->ops->lock(signer);
}

void keystay_signer_free(struct keystay_signer *signer)
{
    if (signer != NULL) {
        signer->ops->close(signer);
    }
}

void signer_freep(struct keystay_signer **signer)
{
    keystay_signer_free(*signer);
    *signer = NULL;
}

const struct certificate *signer_certificate(const struct keystay_signer *signer)
{
    return signer->certificate;
}

const struct public_key *signer_public_key(const struct keystay_signer *signer)
{
    return signer->certificate != NULL ? certificate_public_key(signer->certificate) : signer->public_key;
}

static enum keystay_status check_signature(
    const struct keystay_signer *signer, const struct tbs *tbs, struct slice signature,
    struct keystay_error *err)
{
    const struct public_key *key = signer_public_key(signer);
    enum keystay_status status = public_key_verify(key, alg_by_id(tbs->alg), tbs->input, signature, err);

    if (status == KEYSTAY_E_KEY_MISMATCH && signer->certificate == NULL) {
        return err_set_hint(
            err, status, "is the public key object under the key's id that of another key?",
            "what the token signed does not verify with the public key that it shows; it was thrown away");
    }
    if (status == KEYSTAY_E_KEY_MISMATCH) {
        return err_set_hint(
            err, status,
            "choose the certificate that was issued for this key, or let keystay find it: leave --certificate out",
            "what the token signed does not verify with the public key of certificate '%s'; nothing was sent",
            signer->info.subject);
    }
    return status;
}

enum keystay_status signer_sign(
    struct keystay_signer *signer, const struct tbs *tbs, struct buf *ret_signature,
    struct keystay_error *err)
{
    const struct alg *alg = alg_by_id(tbs->alg);

    if (tbs->kind < TBS_ASSERTION || tbs->kind > TBS_REQUEST || alg == NULL || ret_signature->len != 0) {
        return err_set(err, KEYSTAY_E_INTERNAL, "a structure of no known kind was to be signed");
    }
    if (!keystay_signer_can(signer, tbs->alg)) {
        return err_set_hint(
            err, KEYSTAY_E_ALGORITHM, "leave --alg out: keystay then takes what the token offers",
            "token '%s' cannot sign %s with this key", signer->info.token_label, alg->name);
    }
    if (tbs->kind == TBS_ASSERTION && signer->certificate == NULL) {
        return err_set(err, KEYSTAY_E_INTERNAL, "an assertion was to be signed without a certificate");
    }
    TRY(signer->ops->sign(signer, tbs, ret_signature, err));
    enum keystay_status status = check_signature(signer, tbs, buf_slice(ret_signature), err);
    if (status != KEYSTAY_OK) {
        buf_clear(ret_signature);
    }
    return status;
}
