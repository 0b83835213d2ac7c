/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_LIBP11_EVP_SIGN_H
#define PKCS11_LIBP11_EVP_SIGN_H

/* One signature through libp11's EVP_PKEY. */

#include "base/buf.h"
#include "pkcs11/cryptoki/mechanism.h"
#include "pkcs11/libp11/tie.h"

/*
 * Which algorithms libp11 can make with the mechanisms that are there: it sends CKM_RSA_PKCS,
 * CKM_RSA_PKCS_PSS or CKM_RSA_X_509, and CKM_ECDSA, and never one that hashes on the token.
 */
alg_set evp_algs(const struct mechanism_list *mechanisms);

/* Borrowed. */
struct evp_job {
    const struct alg *alg;
    struct slice input;
    const struct secret *context_pin; /* NULL: the key does not want it for each signature */
    struct buf *signature;            /* appended to, in JOSE's form */
};

/* A tie_work; context is a struct evp_job. */
enum keystay_status evp_sign(struct tie *tie, void *context, struct keystay_error *err);

#endif
