/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/cryptoki/mechanism.h"

#include "base/error.h"
#include "base/str.h"
#include "crypto/digest.h"
#include "crypto/padding.h"
#include "pkcs11/rv.h"

/* What a mechanism is fed with. */
enum input_form {
    INPUT_MESSAGE,     /* the signing input itself: the token hashes */
    INPUT_DIGEST_INFO, /* RFC 8017 §9.2: the digest in its DER wrapping */
    INPUT_DIGEST,
    INPUT_ENCODED, /* padded to the length of the modulus: the token does nothing but RSA */
};

struct mechanism_row {
    enum keystay_alg alg;
    enum input_form form;
    CK_KEY_TYPE key_type;
    CK_MECHANISM_TYPE type;
};

/* In order of preference for each algorithm. CKM_ECDSA first: every token with a curve has it. */
static const struct mechanism_row rows[] = {
    { KEYSTAY_ALG_RS256, INPUT_MESSAGE, CKK_RSA, CKM_SHA256_RSA_PKCS },
    { KEYSTAY_ALG_RS256, INPUT_DIGEST_INFO, CKK_RSA, CKM_RSA_PKCS },
    { KEYSTAY_ALG_RS256, INPUT_ENCODED, CKK_RSA, CKM_RSA_X_509 },
    { KEYSTAY_ALG_RS384, INPUT_MESSAGE, CKK_RSA, CKM_SHA384_RSA_PKCS },
    { KEYSTAY_ALG_RS384, INPUT_DIGEST_INFO, CKK_RSA, CKM_RSA_PKCS },
    { KEYSTAY_ALG_RS384, INPUT_ENCODED, CKK_RSA, CKM_RSA_X_509 },
    { KEYSTAY_ALG_RS512, INPUT_MESSAGE, CKK_RSA, CKM_SHA512_RSA_PKCS },
    { KEYSTAY_ALG_RS512, INPUT_DIGEST_INFO, CKK_RSA, CKM_RSA_PKCS },
    { KEYSTAY_ALG_RS512, INPUT_ENCODED, CKK_RSA, CKM_RSA_X_509 },
    { KEYSTAY_ALG_PS256, INPUT_MESSAGE, CKK_RSA, CKM_SHA256_RSA_PKCS_PSS },
    { KEYSTAY_ALG_PS256, INPUT_DIGEST, CKK_RSA, CKM_RSA_PKCS_PSS },
    { KEYSTAY_ALG_PS256, INPUT_ENCODED, CKK_RSA, CKM_RSA_X_509 },
    { KEYSTAY_ALG_PS384, INPUT_MESSAGE, CKK_RSA, CKM_SHA384_RSA_PKCS_PSS },
    { KEYSTAY_ALG_PS384, INPUT_DIGEST, CKK_RSA, CKM_RSA_PKCS_PSS },
    { KEYSTAY_ALG_PS384, INPUT_ENCODED, CKK_RSA, CKM_RSA_X_509 },
    { KEYSTAY_ALG_PS512, INPUT_MESSAGE, CKK_RSA, CKM_SHA512_RSA_PKCS_PSS },
    { KEYSTAY_ALG_PS512, INPUT_DIGEST, CKK_RSA, CKM_RSA_PKCS_PSS },
    { KEYSTAY_ALG_PS512, INPUT_ENCODED, CKK_RSA, CKM_RSA_X_509 },
    { KEYSTAY_ALG_ES256, INPUT_DIGEST, CKK_EC, CKM_ECDSA },
    { KEYSTAY_ALG_ES256, INPUT_MESSAGE, CKK_EC, CKM_ECDSA_SHA256 },
    { KEYSTAY_ALG_ES384, INPUT_DIGEST, CKK_EC, CKM_ECDSA },
    { KEYSTAY_ALG_ES384, INPUT_MESSAGE, CKK_EC, CKM_ECDSA_SHA384 },
};

/* RFC 7518 §3.5: MGF1 with the hash of the message. */
static const struct {
    const char *digest;
    CK_MECHANISM_TYPE hash;
    CK_RSA_PKCS_MGF_TYPE mgf;
} pss_rows[] = {
    { "SHA256", CKM_SHA256, CKG_MGF1_SHA256 },
    { "SHA384", CKM_SHA384, CKG_MGF1_SHA384 },
    { "SHA512", CKM_SHA512, CKG_MGF1_SHA512 },
};

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
    CK_MECHANISM_TYPE offered[MECHANISM_LIST_MAX] = { 0 }; /* a count may be a lie */
    CK_ULONG n_offered = 0;

    TRY(read_all(session, slot, offered, &n_offered, err));
    ret_list->n = 0;
    for (CK_ULONG i = 0; i < n_offered; i++) {
        if (key->n_allowed == 0 || has(key->allowed, key->n_allowed, offered[i])) {
            ret_list->types[ret_list->n++] = offered[i];
        }
    }
    /* The TPM's module does PSS and says so of the key, but not of the token: what the key allows may be
     * tried. */
    for (size_t i = 0; i < key->n_allowed && ret_list->n < MECHANISM_LIST_MAX; i++) {
        if (!has(offered, n_offered, key->allowed[i])) {
            ret_list->types[ret_list->n++] = key->allowed[i];
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

static const struct mechanism_row *choose(const struct mechanism_list *list, enum keystay_alg alg, size_t nth)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].alg == alg && has(list->types, list->n, rows[i].type) && nth-- == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static enum keystay_status put_input(
    enum input_form form, const struct mechanism_task *task, struct buf *to, struct keystay_error *err)
{
    const struct alg *alg = task->alg;
    uint8_t bytes[ALG_DIGEST_MAX];
    const struct slice digest = { bytes, alg->digest_len };

    if (form == INPUT_MESSAGE) {
        return buf_put(to, task->input, err);
    }
    TRY(digest_of(alg->digest, task->input, bytes, alg->digest_len, err));
    switch (form) {
    case INPUT_DIGEST_INFO:
        return padding_digest_info(alg, digest, to, err);
    case INPUT_ENCODED:
        return padding_encode(alg, digest, task->key_bits, to, err);
    default:
        return buf_put(to, digest, err);
    }
}

void mechanism_call_clear(struct mechanism_call *call)
{
    buf_clear(&call->input);
}

static void set_pss(const struct alg *alg, struct mechanism_call *call)
{
    for (size_t i = 0; i < ARRAY_LEN(pss_rows); i++) {
        if (str_equal(pss_rows[i].digest, alg->digest)) {
            call->pss = (CK_RSA_PKCS_PSS_PARAMS){ pss_rows[i].hash, pss_rows[i].mgf, alg->digest_len };
        }
    }
    call->mechanism.pParameter = &call->pss;
    call->mechanism.ulParameterLen = sizeof(call->pss);
}

enum keystay_status mechanism_prepare(
    const struct mechanism_list *list, const struct mechanism_task *task, size_t nth,
    struct mechanism_call *call, struct keystay_error *err)
{
    const struct mechanism_row *row = choose(list, task->alg->id, nth);

    if (row == NULL) {
        return err_set(err, KEYSTAY_E_ALGORITHM, "the token has no mechanism for %s", task->alg->name);
    }
    *call = (struct mechanism_call){ .mechanism.mechanism = row->type, .input = BUF(MECHANISM_INPUT_MAX) };
    if (task->alg->family == ALG_RSA_PSS && row->form != INPUT_ENCODED) {
        set_pss(task->alg, call);
    }
    return put_input(row->form, task, &call->input, err);
}
