/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_KEY_DECODE_H
#define CRYPTO_KEY_DECODE_H

/* For key_file.c: what one run of bytes holds, by OpenSSL's word. */

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "crypto/key_file.h"

enum { KEY_CERTIFICATES_MAX = 32 };

/* What was found so far, and the password once it was asked for. */
struct key_found {
    const struct key_file_password *source; /* borrowed */
    struct secret password;
    bool has_password;
    EVP_PKEY *pkey; /* owned; NULL: none */
    size_t n_keys;
    int64_t effort;                                         /* how often the password was to be hashed */
    struct certificate *certificates[KEY_CERTIFICATES_MAX]; /* owned */
    size_t n_certificates;
    unsigned int repairs; /* enum key_repair */
};

void key_found_clear(struct key_found *found);

/* A certificate that cannot be read is noted, and no error: the key may do without. */
void key_found_add_certificate(struct key_found *found, struct slice der);

/*
 * The bytes that the element at the start says it has, head and all (X.690 §8.1); 0 when it is no SEQUENCE of
 * definite length.
 */
size_t key_der_len(struct slice der);

/* Of a whole DER element: a private key, or a PKCS #12 with all that it holds. */
enum keystay_status key_decode_der(struct key_found *found, struct slice der, struct keystay_error *err);

/* Of a PEM block that is encrypted by its headers. */
enum keystay_status key_decode_pem(struct key_found *found, struct slice pem, struct keystay_error *err);

#endif
