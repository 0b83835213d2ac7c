/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_KEY_DECODE_IMPL_H
#define CRYPTO_KEY_DECODE_IMPL_H

/* What key_decode.c and key_pkcs12.c share. */

#include <openssl/pkcs12.h>

#include "crypto/key_decode.h"

enum { KEY_ALGORITHM_SIZE = 80 };

/* One way to read something: with the algorithms of libctx. */
struct key_attempt {
    struct key_found *found;
    struct slice input;
    OSSL_LIB_CTX *libctx;               /* NULL: OpenSSL's own */
    char algorithm[KEY_ALGORITHM_SIZE]; /* what it is encrypted with, once that is known */
    bool is_unsupported;                /* libctx does not know that */
};

typedef enum keystay_status (*key_attempt_fn)(struct key_attempt *attempt, struct keystay_error *err);

/* An attempt's own: asks for the password unless it was asked for. */
enum keystay_status key_ask_password(struct key_found *found, struct keystay_error *err);

/* Reads from OpenSSL's queue whether libctx does not know the algorithm; empties the queue. */
void key_note_unsupported(struct key_attempt *attempt);

enum keystay_status key_unsupported(const struct key_attempt *attempt, struct keystay_error *err);
enum keystay_status key_wrong_password(struct keystay_error *err);

/* A file that would keep the machine busy is refused. */
enum keystay_status key_spend(struct key_found *found, int64_t effort, struct keystay_error *err);

/* Notes what something is encrypted with, for messages, and what that costs. */
enum keystay_status key_look_at_algorithm(
    struct key_attempt *attempt, const X509_ALGOR *algorithm, struct keystay_error *err);

/* A private key as it is, or encrypted (RFC 5958 §3). */
enum keystay_status key_take_info(
    struct key_found *found, const PKCS8_PRIV_KEY_INFO *info, struct keystay_error *err);
enum keystay_status key_take_encrypted(
    struct key_attempt *attempt, const X509_SIG *sig, struct keystay_error *err);

/* Whether it begins with one; and all of it. A key_attempt_fn. */
bool key_is_pkcs12(struct slice der);
enum keystay_status key_attempt_pkcs12(struct key_attempt *attempt, struct keystay_error *err);

#endif
