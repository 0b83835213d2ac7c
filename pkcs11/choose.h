/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CHOOSE_H
#define PKCS11_CHOOSE_H

/*
 * Which token, and may this key be used: the rules, without a single call into a module, so that both engines
 * share them. What is ambiguous is refused, and the error lists what is there in the words that a URI takes.
 */

#include <stdbool.h>

#include "crypto/attestation_chain.h"
#include "pkcs11/uri.h"

enum { P11_TEXT_SIZE = 80, P11_TOKENS_MAX = 64 };

/* One present token. */
struct p11_token {
    CK_SLOT_ID slot;
    CK_TOKEN_INFO info;
    bool fits_slot; /* the URI's slot-description and slot-manufacturer, if it has any */
    char label[P11_TEXT_SIZE];
    char serial[P11_TEXT_SIZE];
};

/* Fills label and serial from info: blanks stripped, safe to print. */
void choose_name_token(struct p11_token *token);

/* Whether an initialised token is one that the URI may mean. */
bool choose_fits(const struct p11_token *token, const struct p11_uri *uri);

/*
 * The one token that the URI means; an uninitialised one never fits. *ret_token is borrowed from tokens.
 * KEYSTAY_E_TOKEN_NOT_FOUND or KEYSTAY_E_AMBIGUOUS, with a list.
 */
enum keystay_status choose_token(
    const struct p11_token *tokens, size_t n_tokens, const struct p11_uri *uri,
    const struct p11_token **ret_token, struct keystay_error *err);

/* What a token says of a private key. A value that it does not tell stays unknown. */
enum p11_claim {
    P11_CLAIM_UNKNOWN,
    P11_CLAIM_FALSE,
    P11_CLAIM_TRUE,
};

struct p11_key_claims {
    enum p11_claim sensitive;         /* CKA_SENSITIVE */
    enum p11_claim extractable;       /* CKA_EXTRACTABLE */
    enum p11_claim sign;              /* CKA_SIGN */
    enum p11_claim always_sensitive;  /* CKA_ALWAYS_SENSITIVE */
    enum p11_claim never_extractable; /* CKA_NEVER_EXTRACTABLE */
    enum p11_claim local;             /* CKA_LOCAL: generated on the token */
};

struct p11_key_policy {
    bool allow_extractable;
    bool require_generated;
};

/*
 * Refuses a key that the token would hand out, or does not deny that it would, unless that is allowed; and
 * one that the token does not claim to have made inside, if that is required. KEYSTAY_E_KEY_REFUSED.
 */
enum keystay_status choose_check_claims(
    const struct p11_key_claims *claims, const struct p11_key_policy *policy, const char *where,
    struct keystay_error *err);

/* The claims in a few words: what the token says, and only that. Static. */
const char *choose_claims_words(const struct p11_key_claims *claims);

/* What is proven of a key beyond the token's word. */
struct p11_key_proof {
    enum attestation_verdict verdict;
    struct attestation attestation; /* when the verdict is ATTESTATION_PROVEN */
    bool serial_differs;            /* both serials are numbers, and the token's is not the device's */
};

/* Fills in serial_differs. */
void choose_compare_serial(struct p11_key_proof *proof, const char *token_serial);

enum { P11_PROOF_SIZE = 160 };

/* "generated in YubiKey 12345678, ...", or "nothing, " and why. */
void choose_proof_words(const struct p11_key_proof *proof, char ret_words[P11_PROOF_SIZE]);

/* The word for a verdict that programs read ("proven", "no-root"), and the fix to try. Static. */
const char *choose_verdict_word(enum attestation_verdict verdict);
const char *choose_verdict_hint(enum attestation_verdict verdict);

/* Refuses a key of which nothing is proven: KEYSTAY_E_KEY_REFUSED. */
enum keystay_status choose_check_proof(
    const struct p11_key_proof *proof, const char *where, struct keystay_error *err);

#endif
