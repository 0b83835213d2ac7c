/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_MECHANISM_H
#define PKCS11_CRYPTOKI_MECHANISM_H

/* Which PKCS#11 mechanism makes a JOSE algorithm's signature on this token, and what it wants to be given. */

#include "base/buf.h"
#include "crypto/alg.h"
#include "pkcs11/cryptoki/key.h"

enum { MECHANISM_LIST_MAX = 512 };

struct mechanism_list {
    CK_MECHANISM_TYPE types[MECHANISM_LIST_MAX];
    size_t n;
};

/*
 * C_GetMechanismList, less what the key itself does not allow (CKA_ALLOWED_MECHANISMS); what the key allows
 * and the token does not list stands last.
 */
enum keystay_status mechanism_list_read(
    const struct p11_session *session, CK_SLOT_ID slot, const struct p11_key *key,
    struct mechanism_list *ret_list, struct keystay_error *err);

/* The algorithms that a key of this type can do with them. */
alg_set mechanism_algs(const struct mechanism_list *list, CK_KEY_TYPE type);

enum { MECHANISM_INPUT_MAX = 64 * 1024, MECHANISM_CHOICES_MAX = 3 };

/* What is to be signed. */
struct mechanism_task {
    const struct alg *alg;
    struct slice input;    /* the whole message */
    unsigned int key_bits; /* of the RSA modulus or the curve */
};

/* A mechanism with its parameter, ready for C_SignInit, and what C_Sign is given. Not to be copied: it points
 * into itself. */
struct mechanism_call {
    CK_MECHANISM mechanism;
    CK_RSA_PKCS_PSS_PARAMS pss;
    struct buf input;
};

void mechanism_call_clear(struct mechanism_call *call);

/*
 * Fills in the nth best mechanism for the task that the list has: for RSA the one that hashes on the token,
 * then padding over our own digest, raw RSA over our own padding last. KEYSTAY_E_ALGORITHM when there is no
 * nth.
 */
enum keystay_status mechanism_prepare(
    const struct mechanism_list *list, const struct mechanism_task *task, size_t nth,
    struct mechanism_call *call, struct keystay_error *err);

#endif
