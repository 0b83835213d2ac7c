/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_RSA_H
#define UNIT_RSA_H

/*
 * A key, certificates and a signer in software, for tests only: the one place in this tree where a private
 * key lies in memory. It is the published key of RFC 7515 appendix A.2, so that nothing has to be generated.
 */

#include <openssl/evp.h>

#include "signer/signer.h"

/* The RSA key (2048 bits), owned. */
EVP_PKEY *rsa_rfc7515_key(void);

/* A public key that is any odd number of so many bits. Owned. */
EVP_PKEY *rsa_public_key_of_bits(int bits);

/* A public key with this modulus. Owned. */
EVP_PKEY *rsa_public_key_of_modulus(const char *hex);

/* Hexadecimal, 2049 bits, with the mark of CVE-2017-15361. */
extern const char rsa_roca_modulus[];

void pkey_freep(EVP_PKEY **pkey);

/* RFC 7515 §A.2: what is signed there, and the whole JWS. */
extern const char rfc7515_header[];
extern const char rfc7515_payload[];
extern const char rfc7515_jws[];

struct rsa_padding {
    int padding;        /* RSA_PKCS1_PADDING or RSA_PKCS1_PSS_PADDING */
    const char *digest; /* "SHA256" */
    int salt_len;       /* of PSS */
};

extern const struct rsa_padding rsa_rs256;
extern const struct rsa_padding rsa_ps256;

/* Appends the signature. */
void rsa_sign(EVP_PKEY *key, const struct rsa_padding *how, struct slice input, struct buf *to);

enum { CERT_NOW_S = 1700000000 }; /* 2023-11-14T22:13:20Z, within the default validity */

/* What differs from a certificate of the RFC's key, "CN=unit test", valid for a day around CERT_NOW_S. */
struct cert_spec {
    EVP_PKEY *key; /* borrowed */
    int64_t not_before_s, not_after_s;
    const char *subject_cn; /* UTF-8 */
    int n_units;            /* further OU entries */
    const char *extension;  /* dotted OID of one more extension */
};

/* Appends the certificate, signed by the RFC's key. */
void cert_der(const struct cert_spec *spec, struct buf *to);
void cert_pem(const struct cert_spec *spec, struct buf *to);

/* The same, read by the code under test. Owned. */
struct certificate *cert_new(const struct cert_spec *spec);

/* How a signer misbehaves. */
enum spoil {
    SPOIL_NOTHING,
    SPOIL_BIT,
    SPOIL_LAST_BYTE_MISSING,
    SPOIL_EMPTY,
    SPOIL_INPUT,       /* signs something else */
    SPOIL_FAIL,        /* answers KEYSTAY_E_MODULE */
    SPOIL_PIN,         /* answers KEYSTAY_E_PIN_LOCKED */
    SPOIL_FAIL_HALFWAY /* the same after it has written something */
};

struct soft_signer {
    struct keystay_signer base; /* first: the seam casts */
    EVP_PKEY *key;
    enum spoil spoil;
    int n_signed;
    int n_locked;
    int *n_closed; /* borrowed; NULL: nobody counts */
    struct buf last_input;
};

/* Owned: keystay_signer_free(&signer->base). Its certificate is of the RFC's key, unless another is given
 * (taken). */
struct soft_signer *soft_signer_new(alg_set algs, struct certificate *certificate);
void soft_signer_freep(struct soft_signer **signer);

#endif
