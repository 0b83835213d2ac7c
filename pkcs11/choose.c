/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/choose.h"

#include <stdio.h>
#include <string.h>

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

const char *choose_claims_words(const struct p11_key_claims *claims)
{
    if (claims->sensitive != P11_CLAIM_TRUE || claims->extractable != P11_CLAIM_FALSE) {
        return "the token would hand it out";
    }
    return claims->local == P11_CLAIM_TRUE && claims->never_extractable == P11_CLAIM_TRUE &&
                   claims->always_sensitive == P11_CLAIM_TRUE
               ? "stays in the token, generated there"
               : "stays in the token";
}

/* Indexed by verdict. */
static const struct {
    const char *word;
    const char *reason;
    const char *hint;
} verdicts[ATTESTATION_N_VERDICTS] = {
    [ATTESTATION_NONE] = { "none", "the token shows no attestation of the key",
                           "generate the key on a YubiKey (an imported one has none), and use Yubico's module, "
                           "libykcs11: OpenSC's shows no attestations" },
    [ATTESTATION_NO_CA] = { "no-ca", "it is not said whose attestations to believe (--attestation-ca)",
                            "give Yubico's attestation CAs: --attestation-ca FILE" },
    [ATTESTATION_OTHER_KEY] = { "other-key", "the attestation that lies beside the key is about another key",
                                "do not trust this key; generate a new one" },
    [ATTESTATION_UNREADABLE] = { "unreadable", "its attestation does not say what a YubiKey says",
                                 "is keystay too old for this device? else do not trust this key" },
    [ATTESTATION_NO_DEVICE] = { "no-device",
                                "the certificate of the device that attests it (slot F9) is not on the token",
                                "it cannot be made again when it was overwritten: use another device" },
    [ATTESTATION_BROKEN] = { "broken", "a signature in the chain of its attestation is wrong",
                             "do not trust this key; do the files of --attestation-ca come from Yubico?" },
    [ATTESTATION_NOT_DEVICE] = { "not-device",
                                 "what signed its attestation is not a device that may attest keys",
                                 "do not trust this key; generate a new one" },
    [ATTESTATION_NO_ROOT] = { "no-root",
                              "the chain of its attestation does not end at a root of --attestation-ca",
                              "give the root and all intermediates above the device: Yubico publishes them" },
    [ATTESTATION_OUT_OF_TIME] = { "out-of-time",
                                  "a certificate in the chain of its attestation is out of its time",
                                  "is this machine's clock right?" },
    [ATTESTATION_UNFIT] = { "unfit",
                            "a certificate above the device that attests it is not fit to be a CA there",
                            "check the files of --attestation-ca" },
    [ATTESTATION_PROVEN] = { "proven", "", "" },
};

void choose_compare_serial(struct p11_key_proof *proof, const char *token_serial)
{
    const char *digits = token_serial + strspn(token_serial, "0");
    uint64_t number = 0;

    proof->serial_differs = proof->verdict == ATTESTATION_PROVEN && proof->attestation.tells_serial &&
                            str_parse_u64(digits, 0, UINT64_MAX, &number, NULL) == KEYSTAY_OK &&
                            number != proof->attestation.serial;
}

void choose_proof_words(const struct p11_key_proof *proof, char ret_words[P11_PROOF_SIZE])
{
    const struct attestation *attestation = &proof->attestation;
    char serial[16] = "";

    if (proof->verdict != ATTESTATION_PROVEN) {
        (void)snprintf(ret_words, P11_PROOF_SIZE, "nothing, %s", verdicts[proof->verdict].reason);
        return;
    }
    if (attestation->tells_serial) {
        (void)snprintf(serial, sizeof(serial), " %u", attestation->serial);
    }
    (void)snprintf(
        ret_words, P11_PROOF_SIZE, "generated in YubiKey%s, firmware %u.%u.%u; PIN %s, touch %s%s", serial,
        attestation->firmware[0], attestation->firmware[1], attestation->firmware[2],
        attestation_pin_word(attestation->pin), attestation_touch_word(attestation->touch),
        proof->serial_differs ? "; the token says to have another serial" : "");
}

const char *choose_verdict_word(enum attestation_verdict verdict)
{
    return verdicts[verdict].word;
}

const char *choose_verdict_hint(enum attestation_verdict verdict)
{
    return verdicts[verdict].hint;
}

enum keystay_status choose_check_proof(
    const struct p11_key_proof *proof, const char *where, struct keystay_error *err)
{
    if (proof->verdict == ATTESTATION_PROVEN) {
        return KEYSTAY_OK;
    }
    return err_set_hint(
        err, KEYSTAY_E_KEY_REFUSED, verdicts[proof->verdict].hint,
        "%s: nothing proves that this key was made in the device: %s", where,
        verdicts[proof->verdict].reason);
}
