/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/mechanism.h"

#include "base/error.h"
#include "crypto/digest.h"
#include "pkcs11/rv.h"

/* What a mechanism is fed with. */
enum input_form {
    INPUT_MESSAGE,     /* the signing input itself: the token hashes */
    INPUT_DIGEST_INFO, /* RFC 8017 §9.2: the digest in its DER wrapping */
    INPUT_DIGEST,
};

struct mechanism_row {
    enum keystay_alg alg;
    enum input_form form;
    CK_KEY_TYPE key_type;
    CK_MECHANISM_TYPE type;
};

/* In order of preference for each algorithm. */
static const struct mechanism_row rows[] = {
    { KEYSTAY_ALG_RS256, INPUT_MESSAGE, CKK_RSA, CKM_SHA256_RSA_PKCS },
    { KEYSTAY_ALG_RS256, INPUT_DIGEST_INFO, CKK_RSA, CKM_RSA_PKCS },
    { KEYSTAY_ALG_PS256, INPUT_MESSAGE, CKK_RSA, CKM_SHA256_RSA_PKCS_PSS },
    { KEYSTAY_ALG_PS256, INPUT_DIGEST, CKK_RSA, CKM_RSA_PKCS_PSS },
};

/* RFC 8017 §9.2 note 1: what stands before a SHA-256 digest in a DigestInfo. */
static const uint8_t sha256_digest_info[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                              0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };

static bool has(const CK_MECHANISM_TYPE *types, size_t n, CK_MECHANISM_TYPE type)
{
    for (size_t i = 0; i < n; i++) {
        if (types[i] == type) {
            return true;
        }
    }
    return false;
}

static enum keystay_status read_all(
    const struct p11_session *session, CK_SLOT_ID slot, CK_MECHANISM_TYPE *types, CK_ULONG *ret_n,
    struct keystay_error *err)
{
    CK_ULONG n = MECHANISM_LIST_MAX;
    CK_RV rv = P11(session->module, C_GetMechanismList, slot, types, &n);

    if (rv != CKR_OK) {
        return rv_error(rv, "C_GetMechanismList", session->where, err);
    }
    *ret_n = n < MECHANISM_LIST_MAX ? n : MECHANISM_LIST_MAX;
    return KEYSTAY_OK;
}

enum keystay_status mechanism_list_read(
    const struct p11_session *session, CK_SLOT_ID slot, const struct p11_key *key,
    struct mechanism_list *ret_list, struct keystay_error *err)
{
    CK_MECHANISM_TYPE offered[MECHANISM_LIST_MAX];
    CK_ULONG n_offered = 0;

    TRY(read_all(session, slot, offered, &n_offered, err));
    ret_list->n = 0;
    for (CK_ULONG i = 0; i < n_offered; i++) {
        if (key->n_allowed == 0 || has(key->allowed, key->n_allowed, offered[i])) {
            ret_list->types[ret_list->n++] = offered[i];
        }
    }
    return KEYSTAY_OK;
}

alg_set mechanism_algs(const struct mechanism_list *list, CK_KEY_TYPE type)
{
    alg_set algs = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].key_type == type && has(list->types, list->n, rows[i].type)) {
            algs |= ALG_BIT(rows[i].alg);
        }
    }
    return algs;
}

static const struct mechanism_row *choose(const struct mechanism_list *list, enum keystay_alg alg)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].alg == alg && has(list->types, list->n, rows[i].type)) {
            return &rows[i];
        }
    }
    return NULL;
}

static enum keystay_status put_input(
    enum input_form form, const struct alg *alg, struct slice input, struct buf *to,
    struct keystay_error *err)
{
    uint8_t digest[ALG_DIGEST_MAX];

    if (form == INPUT_MESSAGE) {
        return buf_put(to, input, err);
    }
    TRY(digest_of(alg->digest, input, digest, alg->digest_len, err));
    if (form == INPUT_DIGEST_INFO) {
        TRY(buf_put(to, (struct slice){ sha256_digest_info, sizeof(sha256_digest_info) }, err));
    }
    return buf_put(to, (struct slice){ digest, alg->digest_len }, err);
}

void mechanism_call_clear(struct mechanism_call *call)
{
    buf_clear(&call->input);
}

enum keystay_status mechanism_prepare(
    const struct mechanism_list *list, const struct alg *alg, struct slice input, struct mechanism_call *call,
    struct keystay_error *err)
{
    const struct mechanism_row *row = choose(list, alg->id);

    if (row == NULL) {
        return err_set(err, KEYSTAY_E_ALGORITHM, "the token has no mechanism for %s", alg->name);
    }
    *call = (struct mechanism_call){ .mechanism.mechanism = row->type, .input = BUF(MECHANISM_INPUT_MAX) };
    if (alg->family == ALG_RSA_PSS) {
        /* RFC 7518 §3.5: MGF1 with the same hash, a salt as long as the hash. */
        call->pss = (CK_RSA_PKCS_PSS_PARAMS){ CKM_SHA256, CKG_MGF1_SHA256, alg->digest_len };
        call->mechanism.pParameter = &call->pss;
        call->mechanism.ulParameterLen = sizeof(call->pss);
    }
    return put_input(row->form, alg, input, &call->input, err);
}
