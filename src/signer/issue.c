/* SPDX-License-Identifier: Apache-2.0 */
#include "signer/issue.h"

#include "base/error.h"
#include "crypto/random.h"

/* PKCS #1 v1.5 before PSS: certificate stores are older than servers. */
static const enum keystay_alg preferred[] = { KEYSTAY_ALG_RS256, KEYSTAY_ALG_PS256, KEYSTAY_ALG_ES256,
                                              KEYSTAY_ALG_ES384 };

static enum keystay_status fill_in(
    const struct keystay_signer *signer, struct x509_fields *fields, struct keystay_error *err)
{
    fields->key = signer_public_key(signer);
    for (size_t i = 0; i < ARRAY_LEN(preferred) && fields->alg == NULL; i++) {
        if (keystay_signer_can(signer, preferred[i])) {
            fields->alg = alg_by_id(preferred[i]);
        }
    }
    return fields->alg != NULL
               ? KEYSTAY_OK
               : err_set(
                     err, KEYSTAY_E_ALGORITHM, "token '%s' signs no certificates with this key",
                     signer->info.token_label);
}

static enum keystay_status sign_draft(
    struct keystay_signer *signer, const struct x509_draft *draft, enum tbs_kind kind, const struct alg *alg,
    struct buf *ret_der, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf signature = BUF(SIGNER_SIGNATURE_MAX);
    const struct tbs tbs = { kind, alg->id, x509_draft_tbs(draft), NULL };

    TRY(signer_sign(signer, &tbs, &signature, err));
    return x509_draft_finish(draft, buf_slice(&signature), ret_der, err);
}

enum keystay_status issue_certificate(
    struct keystay_signer *signer, struct x509_fields *fields, struct buf *ret_der, struct keystay_error *err)
{
    CLEANUP(x509_draft_freep) struct x509_draft *draft = NULL;

    TRY(fill_in(signer, fields, err));
    TRY(random_bytes(fields->serial, sizeof(fields->serial), err));
    TRY(x509_draft_certificate(fields, &draft, err));
    return sign_draft(signer, draft, TBS_CERTIFICATE, fields->alg, ret_der, err);
}

enum keystay_status issue_request(
    struct keystay_signer *signer, struct x509_fields *fields, struct buf *ret_der, struct keystay_error *err)
{
    CLEANUP(x509_draft_freep) struct x509_draft *draft = NULL;

    TRY(fill_in(signer, fields, err));
    TRY(x509_draft_request(fields, &draft, err));
    return sign_draft(signer, draft, TBS_REQUEST, fields->alg, ret_der, err);
}
