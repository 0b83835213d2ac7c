/* SPDX-License-Identifier: Apache-2.0 */
/* What a whole plan is used for: the algorithm, the assertion, the form. */
#include "oauth/provider_row.h"

#include "base/error.h"
#include "base/str.h"

static enum keystay_status take_asked(
    const struct provider_request *request, alg_set can, enum keystay_alg *ret_alg, struct keystay_error *err)
{
    if ((can & ALG_BIT(request->alg)) == 0) {
        return err_set_hint(
            err, KEYSTAY_E_ALGORITHM, "leave --alg out: keystay then takes what the token offers",
            "the token cannot sign %s with this key", alg_by_id(request->alg)->name);
    }
    *ret_alg = request->alg;
    return KEYSTAY_OK;
}

/* "RS256 ES256" */
static void append_names(const struct provider_form *form, alg_set algs, struct keystay_error *err)
{
    for (const enum keystay_alg *alg = form->algs; *alg != KEYSTAY_ALG_AUTO; alg++) {
        if (algs & ALG_BIT(*alg)) {
            err_append(err, " %s", alg_by_id(*alg)->name);
        }
    }
    err_append(err, "%s", algs == 0 ? " none that keystay knows" : "");
}

enum keystay_status provider_choose_alg(
    const struct provider_plan *plan, const struct provider_request *request, alg_set can,
    enum keystay_alg *ret_alg, struct keystay_error *err)
{
    if (request->alg != KEYSTAY_ALG_AUTO) {
        return take_asked(request, can, ret_alg, err);
    }
    for (const enum keystay_alg *alg = plan->form->algs; *alg != KEYSTAY_ALG_AUTO; alg++) {
        if (can & plan->algs & ALG_BIT(*alg)) {
            *ret_alg = *alg;
            return KEYSTAY_OK;
        }
    }
    (void)err_set_hint(
        err, KEYSTAY_E_ALGORITHM,
        "choose another key; --alg names an algorithm that is not in the list, if the server takes it",
        "the key can sign none of the algorithms that provider %s takes:", plan->row->name);
    append_names(plan->form, plan->algs, err);
    return KEYSTAY_E_ALGORITHM;
}

static enum assertion_typ typ_of(const struct provider_plan *plan, const struct provider_request *request)
{
    static const struct {
        const char *word;
        enum assertion_typ typ;
    } words[] = {
        { "none", ASSERTION_TYP_NONE },
        { "JWT", ASSERTION_TYP_JWT },
        { "client-authentication+jwt", ASSERTION_TYP_CLIENT_AUTHENTICATION },
    };

    for (size_t i = 0; request->typ != NULL && i < ARRAY_LEN(words); i++) {
        if (str_equal(request->typ, words[i].word)) {
            return words[i].typ;
        }
    }
    /* An assertion that is the grant does not authenticate the client. */
    return plan->grant == TOKEN_GRANT_CLIENT_CREDENTIALS || plan->row->typ == ASSERTION_TYP_NONE
               ? plan->row->typ
               : ASSERTION_TYP_JWT;
}

static void set_kid(
    const struct provider_plan *plan, const struct provider_request *request, struct assertion *assertion)
{
    static const struct {
        const char *word;
        enum assertion_kid form;
    } words[] = {
        { "auto", ASSERTION_KID_NONE },
        { "none", ASSERTION_KID_NONE },
        { "jwk", ASSERTION_KID_JWK },
        { "sha1", ASSERTION_KID_SHA1 },
        { "sha256", ASSERTION_KID_SHA256 },
        { "sha1-hex", ASSERTION_KID_SHA1_HEX },
        { "sha256-hex", ASSERTION_KID_SHA256_HEX },
    };
    const char *kid = request->kid == NULL ? "auto" : request->kid;

    assertion->kid_form = ASSERTION_KID_TEXT;
    assertion->kid = kid;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_equal(kid, words[i].word)) {
            assertion->kid_form = words[i].form;
            assertion->kid = NULL;
        }
    }
    assertion->has_x5c = request->x5c || (plan->row->has_x5c && str_equal(kid, "auto"));
}

/* The client, where it speaks for itself; in a grant the one it speaks for, if any (RFC 7523 §3 point 2). */
static const char *subject_of(const struct provider_plan *plan, const struct provider_request *request)
{
    if (request->subject != NULL) {
        return request->subject;
    }
    return plan->row->grant == TOKEN_GRANT_CLIENT_CREDENTIALS ? request->client_id : NULL;
}

static void set_claims(
    const struct provider_plan *plan, const struct provider_request *request, const char *jti,
    struct assertion *assertion)
{
    const struct provider_row *row = plan->row;

    assertion->audience = plan->audience;
    assertion->issuer = request->client_id;
    assertion->subject = subject_of(plan, request);
    assertion->jti = (row->claims & PROVIDER_CLAIM_JTI) != 0 ? jti : NULL;
    assertion->scope = row->is_scope_in_assertion ? request->scope : NULL;
    assertion->has_nbf = (row->claims & PROVIDER_CLAIM_NBF) != 0;
    assertion->has_iat = (row->claims & PROVIDER_CLAIM_IAT) != 0;
    if (row->resource == PROVIDER_RESOURCE_CLAIM && request->resource != NULL) {
        assertion->extra[assertion->n_extra++] =
            (struct assertion_claim){ row->resource_name, request->resource };
    }
}

enum keystay_status provider_assertion(
    const struct provider_plan *plan, const struct provider_request *request, alg_set can, int64_t now_s,
    const char *jti, struct assertion *ret_assertion, struct keystay_error *err)
{
    struct assertion assertion = {
        .typ = typ_of(plan, request),
        .thumbprints = request->thumbprints != 0 ? request->thumbprints : plan->form->thumbprints,
        .now_s = now_s,
        .backdate_s = request->backdate_s,
        .lifetime_s = plan->lifetime_s,
    };

    TRY(provider_choose_alg(plan, request, can, &assertion.alg, err));
    set_kid(plan, request, &assertion);
    set_claims(plan, request, jti, &assertion);
    *ret_assertion = assertion;
    return KEYSTAY_OK;
}

void provider_token_request(
    const struct provider_plan *plan, const struct provider_request *request, const struct secret *assertion,
    struct token_request *ret_request)
{
    const struct provider_row *row = plan->row;
    const bool is_field =
        row->resource == PROVIDER_RESOURCE_INSTEAD || row->resource == PROVIDER_RESOURCE_FIELD;

    *ret_request = (struct token_request){
        .grant = plan->grant,
        .client_id = request->client_id,
        .scope = row->is_scope_in_assertion ? NULL : request->scope,
        .resource = is_field ? request->resource : NULL,
        .resource_name = row->resource_name,
        .assertion = assertion,
    };
}

bool provider_reuses_assertion(const struct provider_plan *plan)
{
    /* As a grant an assertion says what it is for: there it is one request's. */
    return plan->row->reuses_assertion && plan->grant == TOKEN_GRANT_CLIENT_CREDENTIALS;
}
