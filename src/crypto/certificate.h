/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_CERTIFICATE_H
#define CRYPTO_CERTIFICATE_H

/* An X.509 certificate (RFC 5280), read once. It is public; the private key it speaks of is elsewhere. */

#include "crypto/public_key.h"

struct certificate;

enum {
    CERTIFICATE_FILE_MAX = 256 * 1024, /* room for a chain with comments */
    CERTIFICATE_SHA1_LEN = 20,
    CERTIFICATE_SHA256_LEN = 32,
};

/* The first certificate of a PEM text (other blocks are passed over), or exactly one in DER. Owned. */
enum keystay_status certificate_parse(
    struct slice content, struct certificate **ret_certificate, struct keystay_error *err);

/* The same from a file. */
enum keystay_status certificate_load(
    const char *path, struct certificate **ret_certificate, struct keystay_error *err);

void certificate_free(struct certificate *certificate);
void certificate_freep(struct certificate **certificate);

/* All borrowed until the certificate is freed. */
struct slice certificate_der(const struct certificate *certificate);
const struct public_key *certificate_public_key(const struct certificate *certificate);
const char *certificate_subject(const struct certificate *certificate); /* RFC 2253, safe to print */
const char *certificate_issuer(const struct certificate *certificate);  /* likewise */
int64_t certificate_not_before_s(const struct certificate *certificate);
int64_t certificate_not_after_s(const struct certificate *certificate);

/* Subject, issuer and serial number in DER, as PKCS#11 wants them beside a certificate: appended. */
enum keystay_status certificate_put_parts(
    const struct certificate *certificate, struct buf *ret_subject, struct buf *ret_issuer,
    struct buf *ret_serial, struct keystay_error *err);

/* Made by a device to prove where a key comes from, not to be used with the key: Yubico's PIV attestation. */
bool certificate_is_attestation(const struct certificate *certificate);

/*
 * Whether a is to be used rather than b with the key that both are for: what is valid at now_s before what
 * will be, and that before what is over. Of the valid ones and of those that are over the one that ends last,
 * of those to come the one that begins first; where that is equal, the one that was made last.
 */
bool certificate_is_preferred(const struct certificate *a, const struct certificate *b, int64_t now_s);

/*
 * Refuses what no server accepts: outside its validity at now_s, or RSA under 2048 bits
 * (KEYSTAY_E_CERTIFICATE, KEYSTAY_E_KEY_REFUSED).
 */
enum keystay_status certificate_check(
    const struct certificate *certificate, int64_t now_s, struct keystay_error *err);

#endif
