/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_ATTESTATION_CHAIN_H
#define CRYPTO_ATTESTATION_CHAIN_H

/*
 * Whether an attestation is to be believed: key's attestation <- the device's certificate (slot F9) <- CAs
 * that a person gave. Nothing is trusted that nobody configured.
 */

#include "crypto/attestation.h"

/* The CAs. Shared by any number of threads. */
struct attestation_trust;

enum { ATTESTATION_CAS_MAX = 256 };

/*
 * From PEM files with roots (signed by themselves) and the intermediates below them, in any order; at least
 * one root. Text between the certificates is passed over. Owned. KEYSTAY_E_CONFIG.
 */
enum keystay_status attestation_trust_load(
    const char *const *paths, size_t n, struct attestation_trust **ret_trust, struct keystay_error *err);

/* NULL is fine. */
void attestation_trust_free(struct attestation_trust *trust);
void attestation_trust_freep(struct attestation_trust **trust);

/* In the order of how far the proof came; the last is the only good one. */
enum attestation_verdict {
    ATTESTATION_NONE,       /* the token shows none for the key */
    ATTESTATION_NO_CA,      /* nobody said whom to believe */
    ATTESTATION_OTHER_KEY,  /* it is about another key than the one that it lies beside */
    ATTESTATION_UNREADABLE, /* its extensions are not what a YubiKey writes */
    ATTESTATION_NO_DEVICE,  /* the certificate of the device that made it is not there */
    ATTESTATION_BROKEN,     /* a signature in the chain is wrong */
    ATTESTATION_NOT_DEVICE, /* what signed it may not certify keys */
    ATTESTATION_NO_ROOT,    /* the chain does not end at one of the given roots */
    ATTESTATION_OUT_OF_TIME,
    ATTESTATION_UNFIT, /* a CA above the device's certificate is not fit to be one */
    ATTESTATION_PROVEN,
    ATTESTATION_N_VERDICTS,
};

/*
 * Judges one attestation. devices: certificates that may be the device's own; those that are not its issuer
 * are passed over. trust may be NULL. *ret_attestation is written only when the verdict is
 * ATTESTATION_PROVEN. That the attestation is about the key in question is for the caller to see.
 */
enum attestation_verdict attestation_verify(
    const struct attestation_trust *trust, const struct certificate *certificate,
    const struct certificate *const *devices, size_t n_devices, int64_t now_s,
    struct attestation *ret_attestation);

#endif
