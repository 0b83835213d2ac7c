/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_KEY_FILE_H
#define CRYPTO_KEY_FILE_H

/*
 * The private key of an application that had it in a file: PKCS #12 (PFX), PKCS #8 or what OpenSSL had before
 * it, encrypted or not, PEM or DER. A file that was damaged on its way is read where it can be, and said to
 * be; what cannot be read is named.
 */

#include "crypto/certificate.h"
#include "crypto/private_key.h"

enum { KEY_FILE_MAX = 256 * 1024, KEY_FILE_NOTE_SIZE = 512 };

/* Asked once, and only when the file is encrypted. */
struct key_file_password {
    enum keystay_status (*ask)(void *context, struct secret *ret_password, struct keystay_error *err);
    void *context;
};

struct key_file {
    struct private_key *key;           /* owned */
    struct certificate *certificate;   /* owned: the file's first that is the key's; NULL: none */
    char repaired[KEY_FILE_NOTE_SIZE]; /* what was wrong with the file, in words; "" */
};

void key_file_clear(struct key_file *file);

/*
 * The caller clears *ret_file. KEYSTAY_E_KEY_FILE says what is wrong with the file, or that the password is;
 * KEYSTAY_E_KEY_REFUSED what is wrong with the key (private_key_impl.h).
 */
enum keystay_status key_file_parse(
    struct slice content, const struct key_file_password *password, struct key_file *ret_file,
    struct keystay_error *err);

#endif
