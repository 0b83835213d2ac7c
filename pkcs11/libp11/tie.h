/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_LIBP11_TIE_H
#define PKCS11_LIBP11_TIE_H

/*
 * The tie of one signer to its key through libp11: module, slot, login, EVP_PKEY. What link.h is for the
 * other engine: when a call fails because something went away, all is let go and got anew, and the work is
 * done once more. A PIN error never leads to a second try.
 */

#include "pkcs11/cryptoki/settle.h"
#include "pkcs11/libp11/context.h"

enum { TIE_WHERE_SIZE = 200 };

/* It stays where it is: the context borrows hold. */
struct tie {
    const struct p11_signer *settled; /* borrowed */
    char where[TIE_WHERE_SIZE];       /* names the token */
    struct p11_context *context;
    struct context_hold hold;
    struct secret pin;          /* kept for a later login, where the policy says so */
    pthread_mutex_t climb_lock; /* over pin; one at a time puts things in order */
};

/* Takes the settled signer over: the context must be joined and its gate held for writing. */
enum keystay_status tie_first(struct tie *tie, struct keystay_error *err);

/* With the gate held for reading, in a place of its own. The key is borrowed. */
typedef enum keystay_status (*tie_work)(struct tie *tie, void *context, struct keystay_error *err);

/* Does the work, once more after a recovery where that may help. */
enum keystay_status tie_use(struct tie *tie, tie_work work, void *context, struct keystay_error *err);

/* Whether the key is there and the login holds; what does not is recovered as tie_use would. */
enum keystay_status tie_check(struct tie *tie, struct keystay_error *err);

/* A copy of the PIN of the login, where a key that wants it for each signature may have that; else nothing.
 */
enum keystay_status tie_kept_pin(struct tie *tie, struct secret *ret_pin, struct keystay_error *err);

/* Ends the login and forgets the PIN. */
void tie_lock(struct tie *tie);

#endif
