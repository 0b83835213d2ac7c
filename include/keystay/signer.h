/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYSTAY_SIGNER_H
#define KEYSTAY_SIGNER_H

/*
 * A signer: one private key that stays where it is, and the certificate that goes with it.
 *
 * A signer signs only what keystay composed itself from typed fields (keystay/client.h); there is no call
 * that signs a caller's bytes, so a program that holds one cannot be used as a signing oracle. Where signers
 * come from: keystay/pkcs11.h.
 *
 * Thread rule: a signer may be used by any number of threads at once, and freed when none uses it any more.
 */

#include <stddef.h>
#include <stdint.h>

#include "keystay/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Signature algorithms by their JOSE names (RFC 7518 §3.1). */
enum keystay_alg {
    KEYSTAY_ALG_AUTO = 0, /* what the provider prefers of what the key can do */
    KEYSTAY_ALG_RS256,    /* RSASSA-PKCS1-v1_5, SHA-256 (RFC 7518 §3.3) */
    KEYSTAY_ALG_RS384,
    KEYSTAY_ALG_RS512,
    KEYSTAY_ALG_PS256, /* RSASSA-PSS, MGF1 with the same hash, a salt as long as the hash (RFC 7518 §3.5) */
    KEYSTAY_ALG_PS384,
    KEYSTAY_ALG_PS512,
    KEYSTAY_ALG_ES256, /* ECDSA over P-256 with SHA-256: r and s, 32 bytes each (RFC 7518 §3.4) */
    KEYSTAY_ALG_ES384, /* ECDSA over P-384 with SHA-384: r and s, 48 bytes each */
};

struct keystay_signer;

/* What is known about it. Strings are UTF-8 without control characters, borrowed until the signer is freed.
 */
struct keystay_signer_info {
    const char *module;      /* the file that was loaded */
    const char *token_label; /* PKCS #11 v3.0 §3.2, CK_TOKEN_INFO, blanks stripped */
    const char *token_serial;
    const char *key_label;  /* CKA_LABEL, "" if it has none */
    const char *key_uri_id; /* CKA_ID in the form that a PKCS#11 URI takes: "%01", "" if it has none */
    const char *subject;    /* of the certificate, RFC 2253 */
    unsigned int key_bits;  /* of the RSA modulus, 2048 to 16384, or of the curve */
    int64_t not_after_s;    /* end of the certificate, Unix seconds */
    const char *claimed;    /* what the token says of where the key is: its word, not a proof */
    const char *proven;     /* what an attestation by the device proves of it; "nothing, " and why */
    const char *proof_hint; /* what to try when nothing does, else "" */
    int is_proven;          /* 1: an attestation proves that the key was made in the device, and by which */
};

KEYSTAY_PUBLIC const struct keystay_signer_info *keystay_signer_info(const struct keystay_signer *signer);

/* 1 if the key and its token can do alg, 0 if not. */
KEYSTAY_PUBLIC int keystay_signer_can(const struct keystay_signer *signer, enum keystay_alg alg);

/*
 * Whether the key could sign now, without signing: the token is there and the login holds. What is in the way
 * is put right as for a signature. A caller may branch on KEYSTAY_E_PIN_* (a person must act),
 * KEYSTAY_E_TOKEN_NOT_FOUND and KEYSTAY_E_MODULE (later may help).
 */
KEYSTAY_PUBLIC KEYSTAY_MUST_CHECK enum keystay_status keystay_signer_check(
    struct keystay_signer *signer, struct keystay_error *err);

/*
 * Logs the token out and forgets the PIN. The next signature logs in again, with the PIN from its source: a
 * person is asked again.
 */
KEYSTAY_PUBLIC void keystay_signer_lock(struct keystay_signer *signer);

/* Logs out, closes, finalises the module and wipes. NULL is fine. */
KEYSTAY_PUBLIC void keystay_signer_free(struct keystay_signer *signer);

#ifdef __cplusplus
}
#endif

#endif
