/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_PUBLIC_KEY_H
#define CRYPTO_PUBLIC_KEY_H

/*
 * A public key, of a certificate or a JWK: enough to recognise its private half on a token and to check a
 * signature.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "crypto/alg.h"

struct public_key;

enum { PUBLIC_KEY_RSA_BITS_MAX = 16384 };

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

/* RSA from a generator whose keys can be broken (crypto/roca.h). */
bool public_key_is_weak(const struct public_key *key);

bool public_key_equal(const struct public_key *a, const struct public_key *b);

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

/*
 * A key from its numbers, big-endian (crypto/public_key_numbers.c). *ret_key is owned (public_key_freep).
 * KEYSTAY_E_KEY_REFUSED for RSA under 2048 bits, with an exponent that is even, 1 or over 64 bits, or from a
 * generator known to be weak; for another curve than P-256 (bits 256) and P-384, and coordinates that have
 * not its full length. KEYSTAY_E_CERTIFICATE when the point is not on the curve.
 */
enum keystay_status public_key_new_rsa(
    struct slice modulus, struct slice exponent, struct public_key **ret_key, struct keystay_error *err);
enum keystay_status public_key_new_ec(
    unsigned int bits, struct slice x, struct slice y, struct public_key **ret_key,
    struct keystay_error *err);
void public_key_freep(struct public_key **key);

#endif
