/* SPDX-License-Identifier: Apache-2.0 */
/* The signature: which key, which algorithm, is it good. What the token says is verify_claims.c's. */
#include "jose/verify.h"

#include "base/error.h"
#include "base/str.h"
#include "jose/thumbprint.h"

enum { QUOTE_SIZE = 80, THUMBPRINT_TEXT_MAX = 64 };

static enum keystay_status alg_of(
    const struct jws *jws, const struct alg **ret_alg, struct keystay_error *err)
{
    char name[QUOTE_SIZE];

    *ret_alg = alg_by_name(jws->alg);
    if (*ret_alg != NULL) {
        return KEYSTAY_OK;
    }
    str_quote_foreign(slice_of_str(jws->alg), name, sizeof(name));
    if (str_has_prefix(jws->alg, "HS")) {
        return err_set(
            err, KEYSTAY_E_ANSWER_NO,
            "the token is made with a secret that its verifiers share ('%s'); keystay verifies only with public keys",
            name);
    }
    return err_set(
        err, KEYSTAY_E_ANSWER_NO, "the token's algorithm '%s' is none that keystay verifies", name);
}

/* Each key of its own algorithm, or of those that go with its type and size. */
static bool fits(const struct jwk *jwk, const struct alg *alg)
{
    return (public_key_algs(jwk->key) & ALG_BIT(alg->id)) != 0 && (jwk->alg == NULL || jwk->alg == alg);
}

static enum keystay_status none_fits(
    const struct jws *jws, const struct jwks *jwks, const struct alg *alg, struct keystay_error *err)
{
    char kid[QUOTE_SIZE];

    if (jws->kid == NULL) {
        return err_set(
            err, KEYSTAY_E_ANSWER_NO, "the token names no key, and none of the %zu there goes with %s",
            jwks->n_keys, alg->name);
    }
    str_quote_foreign(slice_of_str(jws->kid), kid, sizeof(kid));
    (void)err_set_hint(
        err, KEYSTAY_E_ANSWER_NO, "is it the issuer's present set of keys?",
        "none of the %zu keys there has the token's kid '%s'", jwks->n_keys, kid);
    if (jwks->n_skipped > 0) {
        err_append(
            err, "; %zu could not be used, of the last it can be said: %s", jwks->n_skipped,
            jwks->skipped_why);
    }
    return KEYSTAY_E_ANSWER_NO;
}

enum keystay_status verify_choose_key(
    const struct jws *jws, const struct jwks *jwks, const struct jwk **ret_jwk, struct keystay_error *err)
{
    const struct alg *alg = NULL;
    const struct jwk *found = NULL;

    TRY(alg_of(jws, &alg, err));
    for (size_t i = 0; i < jwks->n_keys; i++) {
        const struct jwk *jwk = &jwks->keys[i];
        if (jws->kid != NULL ? !str_equal(jwk->kid, jws->kid) : !fits(jwk, alg)) {
            continue;
        }
        /* Two keys of one name: which of them vouches for the token would be chance. */
        if (found != NULL) {
            return err_set(
                err, KEYSTAY_E_ANSWER_NO, "%s",
                jws->kid != NULL ? "more than one key there has the token's kid"
                                 : "the token names no key, and more than one goes with its algorithm");
        }
        found = jwk;
    }
    if (found == NULL) {
        return none_fits(jws, jwks, alg, err);
    }
    *ret_jwk = found;
    return KEYSTAY_OK;
}

/* Graph signs over the hash of the nonce and sends the nonce itself: what arrives is not what was signed. */
static enum keystay_status bad_signature(const struct jws *jws, struct keystay_error *err)
{
    (void)err_set(
        err, KEYSTAY_E_ANSWER_NO,
        "the signature is not good: the token was changed, or another key has signed it");
    if (json_has(jws->header, "nonce")) {
        return err_hint(
            err, KEYSTAY_E_ANSWER_NO,
            "the header has a nonce, as in Microsoft Graph's own tokens: nobody but Graph can verify these");
    }
    return KEYSTAY_E_ANSWER_NO;
}

static enum keystay_status check_signature(
    const struct jws *jws, const struct public_key *key, const struct alg *alg, struct keystay_error *err)
{
    enum keystay_status status = public_key_verify(key, alg, jws->input, buf_slice(&jws->signature), err);

    if (status == KEYSTAY_E_ALGORITHM) {
        return err_set(
            err, KEYSTAY_E_ANSWER_NO, "the token's algorithm %s does not go with the %s key of %u bits",
            alg->name, public_key_type_name(key), public_key_bits(key));
    }
    return status == KEYSTAY_E_KEY_MISMATCH ? bad_signature(jws, err) : status;
}

enum keystay_status verify_with_jwk(const struct jws *jws, const struct jwk *jwk, struct keystay_error *err)
{
    const struct alg *alg = NULL;

    TRY(alg_of(jws, &alg, err));
    if (jwk->alg != NULL && jwk->alg != alg) {
        return err_set(
            err, KEYSTAY_E_ANSWER_NO, "the token's algorithm is %s, its key is for %s", alg->name,
            jwk->alg->name);
    }
    return check_signature(jws, jwk->key, alg, err);
}

/* RFC 7515 §4.1.7 and §4.1.8. */
static enum keystay_status check_thumbprint(
    const struct jws *jws, const char *name, enum thumbprint which, const struct certificate *certificate,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf own = BUF(THUMBPRINT_TEXT_MAX);
    const struct json *member = json_member(jws->header, name);

    if (member == NULL) {
        return KEYSTAY_OK;
    }
    TRY(thumbprint_encode(certificate, which, &own, err));
    if (json_text(member) == NULL || !slice_equal(slice_of_str(json_text(member)), buf_slice(&own))) {
        return err_set(
            err, KEYSTAY_E_ANSWER_NO, "the header's %s is not that of certificate '%s', which is %s", name,
            certificate_subject(certificate), buf_str(&own));
    }
    return KEYSTAY_OK;
}

enum keystay_status verify_with_certificate(
    const struct jws *jws, const struct certificate *certificate, int64_t now_s, struct keystay_error *err)
{
    const struct alg *alg = NULL;

    TRY(alg_of(jws, &alg, err));
    TRY(check_thumbprint(jws, "x5t#S256", THUMBPRINT_SHA256, certificate, err));
    TRY(check_thumbprint(jws, "x5t", THUMBPRINT_SHA1, certificate, err));
    /* However good the signature, anybody can have made it. */
    if (public_key_is_weak(certificate_public_key(certificate))) {
        return err_set(
            err, KEYSTAY_E_ANSWER_NO,
            "the key of certificate '%s' was made by a chip whose keys can be broken (ROCA, CVE-2017-15361)",
            certificate_subject(certificate));
    }
    TRY(check_signature(jws, certificate_public_key(certificate), alg, err));
    if (certificate_check(certificate, now_s, err) != KEYSTAY_OK) {
        if (err != NULL) {
            err->status = KEYSTAY_E_ANSWER_NO;
        }
        return KEYSTAY_E_ANSWER_NO;
    }
    return KEYSTAY_OK;
}
