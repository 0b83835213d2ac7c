/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSASSA-PSS comes in two ways. OpenSSL pads and libp11 sends raw RSA, which FIPS tokens refuse; or OpenSSL
 * is told to use libp11's EVP_PKEY_METHOD, which sends CKM_RSA_PKCS_PSS. The usual way to tell it is
 * EVP_PKEY_meth_add0, which puts that method under every RSA key of the process, also those that verify. An
 * ENGINE that is given to one signature alone does the same for that one.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* ENGINE */

#include "pkcs11/libp11/evp_sign.h"

#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "crypto/ecdsa.h"
#include "pkcs11/cryptoki/sign.h"
#include "pkcs11/libp11/pin_ui.h"
#include "pkcs11/libp11/queue.h"
#include "pkcs11/rv.h"

static ENGINE *pss_engine;
static pthread_once_t pss_once = PTHREAD_ONCE_INIT;

static void make_pss_engine(void)
{
    EVP_PKEY_METHOD *method = NULL;
    ENGINE *engine = ENGINE_new();

    /* The first call makes libp11's methods, which is not safe in two threads. */
    if (engine == NULL || PKCS11_pkey_meths(engine, &method, NULL, EVP_PKEY_RSA) != 1 ||
        ENGINE_set_id(engine, "keystay-libp11") != 1 ||
        ENGINE_set_pkey_meths(engine, PKCS11_pkey_meths) != 1) {
        (void)ENGINE_free(engine);
        return;
    }
    pss_engine = engine;
}

static bool has_mechanism(const struct mechanism_list *list, CK_MECHANISM_TYPE type)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->types[i] == type) {
            return true;
        }
    }
    return false;
}

alg_set evp_algs(const struct mechanism_list *mechanisms)
{
    const bool can[] = {
        [ALG_RSA_PKCS1] = has_mechanism(mechanisms, CKM_RSA_PKCS),
        [ALG_RSA_PSS] =
            has_mechanism(mechanisms, CKM_RSA_PKCS_PSS) || has_mechanism(mechanisms, CKM_RSA_X_509),
        [ALG_ECDSA] = has_mechanism(mechanisms, CKM_ECDSA),
    };
    alg_set algs = 0;

    for (enum keystay_alg id = KEYSTAY_ALG_RS256; alg_by_id(id) != NULL; id++) {
        algs |= can[alg_by_id(id)->family] ? ALG_BIT(id) : 0;
    }
    return algs;
}

/*
 * Raw RSA comes first. After a CKM_RSA_PKCS_PSS that failed libp11 tries raw RSA at once, and tells of that
 * alone: what the token said of a PIN would be lost, and a card that was pulled out would be asked again
 * before anybody has noticed.
 */
static bool needs_engine(const struct evp_job *job, const struct mechanism_list *mechanisms)
{
    return job->alg->family == ALG_RSA_PSS && !has_mechanism(mechanisms, CKM_RSA_X_509);
}

static ENGINE *engine_for(const struct evp_job *job, const struct mechanism_list *mechanisms)
{
    if (!needs_engine(job, mechanisms)) {
        return NULL;
    }
    (void)pthread_once(&pss_once, make_pss_engine);
    return pss_engine;
}

/* What libp11 tells of a signature that failed, less what it tells of another. */
static CK_RV take_rv(const struct evp_job *job, const struct mechanism_list *mechanisms)
{
    CK_RV rv = queue_take();

    return needs_engine(job, mechanisms) && rv == CKR_MECHANISM_INVALID ? CKR_OK : rv;
}

static bool set_padding(EVP_PKEY_CTX *context, const struct alg *alg)
{
    return alg->family != ALG_RSA_PSS ||
           (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static void key_ctx_freep(EVP_PKEY_CTX **context)
{
    EVP_PKEY_CTX_free(*context);
}

/* What EVP gives: for ECDSA that is DER. The digest is made apart, since an ENGINE would have to make it too.
 */
static bool sign_digest(
    struct tie *tie, const struct evp_job *job, struct slice digest, uint8_t *ret_signature, size_t *ret_len)
{
    ENGINE *engine = engine_for(job, &tie->settled->mechanisms);
    CLEANUP(key_ctx_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(tie->hold.key, engine);

    ERR_clear_error();
    if (context == NULL || EVP_PKEY_sign_init(context) != 1 || !set_padding(context, job->alg) ||
        EVP_PKEY_CTX_set_signature_md(context, EVP_get_digestbyname(job->alg->digest)) != 1) {
        return false;
    }
    context_enter(tie->settled->settings.watch, "C_Sign"); /* the name that may wait for a touch */
    int result = EVP_PKEY_sign(context, ret_signature, ret_len, digest.data, digest.len);
    return context_leave(tie->settled->settings.watch, result) == 1;
}

/* One try. *ret_rv is what the module answered, as far as libp11 tells. */
static enum keystay_status sign_once(
    struct tie *tie, const struct evp_job *job, CK_RV *ret_rv, struct keystay_error *err)
{
    uint8_t signature[SIGNER_SIGNATURE_MAX];
    size_t len = sizeof(signature);
    uint8_t digest[ALG_DIGEST_MAX];

    *ret_rv = CKR_OK;
    TRY(digest_of(job->alg->digest, job->input, digest, job->alg->digest_len, err));
    int64_t started_ms = clock_monotonic_ms();
    if (!sign_digest(tie, job, (struct slice){ digest, job->alg->digest_len }, signature, &len)) {
        *ret_rv = take_rv(job, &tie->settled->mechanisms);
        if (*ret_rv == CKR_USER_NOT_LOGGED_IN && sign_was_slow(clock_monotonic_ms() - started_ms)) {
            return sign_not_touched(tie->where, err);
        }
        return queue_error(*ret_rv, "C_Sign (libp11)", tie->where, err);
    }
    ERR_clear_error(); /* what a first mechanism left behind */
    if (job->alg->family == ALG_ECDSA) {
        return ecdsa_to_jose(job->alg, (struct slice){ signature, len }, job->signature, err);
    }
    return buf_put(job->signature, (struct slice){ signature, len }, err);
}

struct context_call {
    struct tie *tie;
    const struct evp_job *job;
    enum keystay_status status;
    struct keystay_error error;
};

/*
 * A pin_ops' send: libp11 logs in in the middle of the signature, so the whole of it is the try. When the PIN
 * was not asked for the token has not seen it, and what went wrong is told by the signature's own error.
 */
static CK_RV send_in_signature(void *context, const struct secret *pin)
{
    struct context_call *call = context;
    CK_RV rv = CKR_OK;

    pin_ui_set(pin);
    call->status = sign_once(call->tie, call->job, &rv, &call->error);
    pin_ui_set(NULL);
    if (call->status == KEYSTAY_OK) {
        return CKR_OK;
    }
    return rv == CKR_OK ? CKR_GENERAL_ERROR : rv;
}

/*
 * A pin_ops' read_info. The flags cannot be read now without ending every session. It is asked for because an
 * earlier try did not end well, so the token is taken to count a wrong one: a person may try, no program.
 */
static CK_RV assume_count_low(void *context, CK_TOKEN_INFO *ret_info)
{
    const struct context_call *call = context;

    *ret_info = call->tie->settled->token.info;
    ret_info->flags |= CKF_USER_PIN_COUNT_LOW;
    return CKR_OK;
}

static enum keystay_status check_len(
    const struct tie *tie, const struct secret *pin, struct keystay_error *err)
{
    if (pin->len > 0 && (pin->len < PIN_UI_LEN_MIN || pin->len > PIN_UI_LEN_MAX)) {
        return err_set_hint(
            err, KEYSTAY_E_PIN_REFUSED, "leave --engine libp11 out for this key: the other engine can",
            "%s: libp11 takes a PIN of %d to %d bytes for a signature; it was not sent", tie->where,
            (int)PIN_UI_LEN_MIN, (int)PIN_UI_LEN_MAX);
    }
    return KEYSTAY_OK;
}

static enum keystay_status sign_with_pin(
    struct tie *tie, const struct evp_job *job, struct keystay_error *err)
{
    const struct p11_settings *settings = &tie->settled->settings;
    const struct pin_target target = settle_context_target(tie->settled, tie->where);
    struct context_call call = { .tie = tie, .job = job };
    const struct pin_ops ops = { send_in_signature, assume_count_low, &call };

    TRY(check_len(tie, job->context_pin, err));
    enum keystay_status status =
        pin_send(&settings->pin, &target, &ops, job->context_pin, settings->log, err);
    if (status != KEYSTAY_OK && call.status != KEYSTAY_OK && err != NULL) {
        *err = call.error; /* it says more: the module's code is there, or that there was none */
        return call.status;
    }
    return status;
}

enum keystay_status evp_sign(struct tie *tie, void *context, struct keystay_error *err)
{
    const struct evp_job *job = context;
    CK_RV rv = CKR_OK;

    if (job->context_pin != NULL) {
        TRY(sign_with_pin(tie, job, err));
    } else {
        TRY(sign_once(tie, job, &rv, err));
    }
    log_step(tie->settled->settings.log, "%s: signed %s through libp11", tie->where, job->alg->name);
    return KEYSTAY_OK;
}
