/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/choose.h"

#include "base/error.h"
#include "base/str.h"

enum { LISTED_MAX = 12 }; /* lines in an error; the message has room for about that many */

/* PKCS #11 v3.0 §3.2: the fields are padded with the blank character and not NUL-terminated. */
static void copy_padded(const unsigned char *field, size_t size, char *ret_text)
{
    size_t len = size;

    while (len > 0 && (field[len - 1] == ' ' || field[len - 1] == '\0')) {
        len--;
    }
    str_quote_foreign((struct slice){ field, len }, ret_text, P11_TEXT_SIZE);
}

void choose_name_token(struct p11_token *token)
{
    copy_padded(token->info.label, sizeof(token->info.label), token->label);
    copy_padded(token->info.serialNumber, sizeof(token->info.serialNumber), token->serial);
}

static bool is_candidate(const struct p11_token *token)
{
    return (token->info.flags & CKF_TOKEN_INITIALIZED) != 0;
}

bool choose_fits(const struct p11_token *token, const struct p11_uri *uri)
{
    return is_candidate(token) && token->fits_slot && p11_uri_matches_token(uri, token->slot, &token->info);
}

/* Appends "\n  token=backup serial=0123 (slot 5)" for each token that fits uri, or for all when uri is NULL.
 */
static void list_tokens(
    const struct p11_token *tokens, size_t n_tokens, const struct p11_uri *uri, struct keystay_error *err)
{
    size_t n_listed = 0;

    for (size_t i = 0; i < n_tokens; i++) {
        if (uri == NULL ? !is_candidate(&tokens[i]) : !choose_fits(&tokens[i], uri)) {
            continue;
        }
        if (n_listed++ == LISTED_MAX) {
            err_append(err, "\n  ...");
            return;
        }
        err_append(
            err, "\n  token '%s', serial %s, slot-id %lu", tokens[i].label,
            tokens[i].serial[0] == '\0' ? "unknown" : tokens[i].serial, tokens[i].slot);
    }
}

static enum keystay_status none_fits(
    const struct p11_token *tokens, size_t n_tokens, struct keystay_error *err)
{
    size_t n_candidates = 0;

    for (size_t i = 0; i < n_tokens; i++) {
        n_candidates += is_candidate(&tokens[i]) ? 1 : 0;
    }
    if (n_candidates == 0) {
        return err_set_hint(
            err, KEYSTAY_E_TOKEN_NOT_FOUND,
            "is it plugged in, the reader service (pcscd) running, the HSM reachable? SoftHSM: is SOFTHSM2_CONF set, p11-kit: P11_KIT_SERVER_ADDRESS?",
            "the module shows no initialised token");
    }
    (void)err_set_hint(
        err, KEYSTAY_E_TOKEN_NOT_FOUND, "correct the token's part of the --key URI",
        "no token fits the key URI; present:");
    list_tokens(tokens, n_tokens, NULL, err);
    return KEYSTAY_E_TOKEN_NOT_FOUND;
}

enum keystay_status choose_token(
    const struct p11_token *tokens, size_t n_tokens, const struct p11_uri *uri,
    const struct p11_token **ret_token, struct keystay_error *err)
{
    const struct p11_token *found = NULL;
    size_t n_found = 0;

    for (size_t i = 0; i < n_tokens; i++) {
        if (choose_fits(&tokens[i], uri)) {
            found = &tokens[i];
            n_found++;
        }
    }
    if (n_found == 0) {
        return none_fits(tokens, n_tokens, err);
    }
    if (n_found > 1) {
        (void)err_set_hint(
            err, KEYSTAY_E_AMBIGUOUS, "add ;serial=... to the --key URI",
            "%zu tokens fit the key URI, and keystay does not guess:", n_found);
        list_tokens(tokens, n_tokens, uri, err);
        return KEYSTAY_E_AMBIGUOUS;
    }
    *ret_token = found;
    return KEYSTAY_OK;
}

static enum keystay_status check_generated(
    const struct p11_key_claims *claims, const char *where, struct keystay_error *err)
{
    if (claims->local == P11_CLAIM_TRUE && claims->always_sensitive == P11_CLAIM_TRUE &&
        claims->never_extractable == P11_CLAIM_TRUE) {
        return KEYSTAY_OK;
    }
    return err_set_hint(
        err, KEYSTAY_E_KEY_REFUSED, "generate a key on the token, or do without --require",
        "%s: the token does not say that this key was made inside it and never left it (CKA_LOCAL, "
        "CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE)",
        where);
}

enum keystay_status choose_check_claims(
    const struct p11_key_claims *claims, const struct p11_key_policy *policy, const char *where,
    struct keystay_error *err)
{
    if (claims->sign == P11_CLAIM_FALSE) {
        return err_set_hint(
            err, KEYSTAY_E_KEY_REFUSED, "choose a key with CKA_SIGN, or make one",
            "%s: the key may not sign (CKA_SIGN is false)", where);
    }
    if (policy->require_generated) {
        TRY(check_generated(claims, where, err));
    }
    if ((claims->sensitive == P11_CLAIM_TRUE && claims->extractable == P11_CLAIM_FALSE) ||
        policy->allow_extractable) {
        return KEYSTAY_OK;
    }
    const char *why = claims->sensitive == P11_CLAIM_FALSE    ? "CKA_SENSITIVE is false"
                      : claims->extractable == P11_CLAIM_TRUE ? "CKA_EXTRACTABLE is true"
                                                              : "it does not say whether it would";
    return err_set_hint(
        err, KEYSTAY_E_KEY_REFUSED,
        "make a key that stays in the token; for a trial only: --allow-extractable",
        "%s: the token would hand this private key out (%s)", where, why);
}
