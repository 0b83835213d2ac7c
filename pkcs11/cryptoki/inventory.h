/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_INVENTORY_H
#define PKCS11_CRYPTOKI_INVENTORY_H

/* What is on the tokens of a module, for people who look; and the latch of a token, for those who know
 * better. */

#include "crypto/certificate.h"
#include "pkcs11/choose.h"
#include "pkcs11/cryptoki/attestation.h"
#include "pkcs11/cryptoki/certificate.h"
#include "pkcs11/settings.h"

struct inventory_key {
    struct p11_key key;
    const struct certificate *certificate; /* borrowed: on the token, with the key's public key; NULL: none */
    alg_set algs;                          /* what token, key and certificate allow together */
    unsigned int bits;                     /* 0: the token does not tell */
    struct p11_key_proof proof;
};

struct inventory_token {
    const struct p11_token *token;
    bool is_logged_in;
    struct inventory_key *keys; /* what can be seen without a login is what the token shows */
    size_t n_keys;
    size_t n_certificates;                         /* all of them, with and without a key */
    const struct token_certificates *certificates; /* the same */
};

/* Borrowed until it returns. */
typedef enum keystay_status (*inventory_visit)(
    const struct inventory_token *token, void *context, struct keystay_error *err);

/*
 * Visits each initialised token that the key URI of settings fits. Logs in only when a PIN source was
 * configured, or login is "always". *ret_n_visited is how many there were.
 */
enum keystay_status inventory_read(
    const struct p11_settings *settings, inventory_visit visit, void *context, size_t *ret_n_visited,
    struct keystay_error *err);

/* Forgets the PIN that the one token of the key URI refused. Nothing is sent to it. *ret_was_set: there was
 * one. */
enum keystay_status inventory_forget_pin(
    const struct p11_settings *settings, struct p11_token *ret_token, bool *ret_was_set,
    struct keystay_error *err);

#endif
