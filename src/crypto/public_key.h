/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_PUBLIC_KEY_H
#define CRYPTO_PUBLIC_KEY_H

/* The public key of a certificate: enough to recognise its private half on a token and to check a signature.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "crypto/alg.h"

struct public_key;

enum public_key_type {
    PUBLIC_KEY_RSA,
    PUBLIC_KEY_EC, /* P-256 or P-384 */
    PUBLIC_KEY_OTHER,
};

enum public_key_type public_key_type(const struct public_key *key);

/* "RSA", "EC", ...: for messages. Static. */
const char *public_key_type_name(const struct public_key *key);

/* Of the RSA modulus or the curve. */
unsigned int public_key_bits(const struct public_key *key);

/* The algorithms that a key of this type and size can be used with. */
alg_set public_key_algs(const struct public_key *key);

/* True when the key is RSA with this modulus (big-endian, leading zero bytes allowed, as in CKA_MODULUS). */
bool public_key_has_modulus(const struct public_key *key, struct slice modulus);

/* True when the key is EC with this uncompressed point (0x04, x, y), bare or in its DER OCTET STRING, as in
 * CKA_EC_POINT. */
bool public_key_has_point(const struct public_key *key, struct slice point);

/*
 * Appends the key's numbers, big-endian: of RSA the modulus and the exponent without leading zeros, of EC the
 * coordinates x and y, each as wide as the curve. KEYSTAY_E_ALGORITHM for a key of another type.
 */
enum keystay_status public_key_numbers(
    const struct public_key *key, struct buf *ret_first, struct buf *ret_second, struct keystay_error *err);

/*
 * KEYSTAY_OK when the signature of input is good; KEYSTAY_E_KEY_MISMATCH when it is not. The form of the
 * signature is JOSE's (RFC 7518 §3).
 */
enum keystay_status public_key_verify(
    const struct public_key *key, const struct alg *alg, struct slice input, struct slice signature,
    struct keystay_error *err);

#endif
