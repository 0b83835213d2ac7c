/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_ECDSA_H
#define CRYPTO_ECDSA_H

#include "base/buf.h"
#include "crypto/alg.h"

/*
 * Appends an ECDSA signature in JOSE's form (RFC 7518 §3.4: r and s, each as wide as the curve), from the DER
 * that OpenSSL and libraries on top of it make (RFC 3279 §2.2.3). Strict: one SEQUENCE in the one form that
 * DER has for it, nothing after it, and both numbers in range for alg's curve. KEYSTAY_E_MODULE otherwise.
 */
enum keystay_status ecdsa_to_jose(
    const struct alg *alg, struct slice der, struct buf *ret_signature, struct keystay_error *err);

/* The other way, which OpenSSL and certificates want. KEYSTAY_E_KEY_MISMATCH when it has another length. */
enum keystay_status ecdsa_to_der(
    const struct alg *alg, struct slice signature, struct buf *ret_der, struct keystay_error *err);

#endif
