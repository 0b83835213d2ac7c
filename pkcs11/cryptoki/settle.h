/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_CRYPTOKI_SETTLE_H
#define PKCS11_CRYPTOKI_SETTLE_H

/*
 * Everything that is known before the first signature, whichever engine will make it: module, token, login,
 * the key and what its token claims of it, its certificate, its algorithms. An engine begins here and has no
 * rules of its own.
 */

#include "pkcs11/cryptoki/link.h"
#include "pkcs11/cryptoki/mechanism.h"
#include "pkcs11/settings.h"
#include "signer/signer.h"

/* The head of an engine's own structure. It stays where it is: the link borrows from it. */
struct p11_signer {
    struct keystay_signer base; /* first: the signer interface casts; ops is the engine's business */
    struct p11_settings settings;
    struct p11_link *link;  /* logged in */
    struct p11_token token; /* as it was when it was opened */
    struct p11_key key;
    unsigned int key_generation; /* of key.handle */
    struct mechanism_list mechanisms;
    struct p11_key_proof proof;
    char proven[P11_PROOF_SIZE]; /* the same in words */
};

/*
 * Fills in all of a zeroed signer but base.ops. settings is taken, also after a failure; its log and watch
 * are borrowed. The caller clears *signer, also after a failure.
 */
enum keystay_status settle(
    struct p11_settings *settings, struct p11_signer *signer, struct keystay_error *err);

/*
 * For a key that wants its PIN for each signature: what a person is told who is asked for it, and whether it
 * may be the login's instead, because that is allowed or the source cannot be asked again.
 */
struct pin_target settle_context_target(const struct p11_signer *signer, const char *where);
bool settle_may_reuse_pin(const struct p11_signer *signer);

/* Closes the link and frees what the signer owns, but not the signer itself. */
void settle_clear(struct p11_signer *signer);

#endif
