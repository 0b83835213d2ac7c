/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_X509_WRITE_H
#define CRYPTO_X509_WRITE_H

/*
 * Certificates (RFC 5280) and requests for them (PKCS #10, RFC 2986) for a key that is elsewhere: composed
 * here from typed fields, signed there, put together here again.
 */

#include "base/buf.h"
#include "crypto/public_key.h"

enum {
    X509_WRITE_SUBJECT_MAX = 1024, /* bytes of text */
    X509_WRITE_SAN_MAX = 4096,
    X509_WRITE_MAX = 32 * 1024, /* bytes of DER; PIN cards hold less */
    X509_WRITE_SERIAL_LEN = 16,
};

struct x509_fields {
    /* RFC 4514: "CN=backup,O=Contoso", the most specific first; of CN, O, OU, C, ST, L, street, DC, UID and
     * serialNumber. */
    const char *subject;
    /* "dns:backup.contoso.example,uri:https://...,email:...", or NULL. */
    const char *san;
    int64_t not_before_s; /* these three: of certificates alone */
    int64_t not_after_s;
    uint8_t serial[X509_WRITE_SERIAL_LEN];
    const struct public_key *key; /* borrowed */
    const struct alg *alg;        /* what it will be signed with: SHA-256 or SHA-384 */
};

/* Whether subject, san and alg, where it is known, are in order, before anything is asked of anybody.
 * KEYSTAY_E_USAGE, KEYSTAY_E_ALGORITHM. */
enum keystay_status x509_check_fields(const struct x509_fields *fields, struct keystay_error *err);

/* Complete but for the signature. */
struct x509_draft;

/*
 * A certificate that its key signs itself, for signing and nothing else (critical keyUsage digitalSignature,
 * no CA), or a request for one. *ret_draft is owned. KEYSTAY_E_USAGE for a subject, a name or dates that
 * cannot be; KEYSTAY_E_ALGORITHM.
 */
enum keystay_status x509_draft_certificate(
    const struct x509_fields *fields, struct x509_draft **ret_draft, struct keystay_error *err);
enum keystay_status x509_draft_request(
    const struct x509_fields *fields, struct x509_draft **ret_draft, struct keystay_error *err);
void x509_draft_freep(struct x509_draft **draft);

/* What is to be signed, DER; borrowed until the draft is freed. */
struct slice x509_draft_tbs(const struct x509_draft *draft);

/* Appends the whole, in DER. signature is in JOSE's form; KEYSTAY_E_KEY_MISMATCH when it is not good. */
enum keystay_status x509_draft_finish(
    const struct x509_draft *draft, struct slice signature, struct buf *ret_der, struct keystay_error *err);

/* Appends "-----BEGIN ...": what is "CERTIFICATE" or "CERTIFICATE REQUEST". */
enum keystay_status x509_put_pem(
    const char *what, struct slice der, struct buf *ret_text, struct keystay_error *err);

#endif
