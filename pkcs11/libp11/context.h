/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_LIBP11_CONTEXT_H
#define PKCS11_LIBP11_CONTEXT_H

/*
 * libp11's view of one module: its PKCS11_CTX and the slots, shared by all signers of the process that use
 * the module, because one owner at a time is all that a module bears.
 *
 * Everything that libp11 gives lives until its slots are released, and what is used after that crashes; an
 * EVP_PKEY that is freed after that too. So each user says what it holds, and letting go is one function
 * here, in the one order that libp11 0.4.12 survives: EVP_PKEYs, slots, unload, free.
 */

#include <libp11.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/base.h"
#include "keystay/pkcs11.h"

struct p11_context;

/* What one user has of it, with the gate held: all NULL after a release. */
struct context_hold {
    struct context_hold *next;
    PKCS11_SLOT *slot; /* borrowed */
    EVP_PKEY *key;     /* owned; NULL: to be looked for */
};

/* Calls into libp11 are announced to the watch, as those into a module are. */
void context_enter(const struct keystay_call_watch *watch, const char *call);
int context_leave(const struct keystay_call_watch *watch, int result);
#define LIB11(watch, function, ...) \
    (context_enter((watch), #function), context_leave((watch), function(__VA_ARGS__)))

/*
 * Joins the users of the module; it is loaded later. args, or NULL, is pReserved. hold is borrowed until
 * context_part.
 */
enum keystay_status context_join(
    const char *path, const char *args, struct context_hold *hold, struct p11_context **ret_context,
    struct keystay_error *err);

/* With the last user everything goes. NULL is fine. */
void context_part(
    struct p11_context *context, struct context_hold *hold, const struct keystay_call_watch *watch);

/* Held for reading while something of it is used, for writing by the functions below. */
pthread_rwlock_t *context_gate(const struct p11_context *context);

/* Counts the releases: what was got before the last one is gone. */
unsigned int context_generation(const struct p11_context *context);

/* False in a child of the process that loaded it: libp11 would log in again there, by itself. */
bool context_is_own(const struct p11_context *context);

/* Loads the module and lists its slots, where that is not so already. */
enum keystay_status context_raise(
    struct p11_context *context, const struct keystay_call_watch *watch, struct keystay_error *err);

/* NULL slots when it is not raised. Borrowed until the next release. */
PKCS11_SLOT *context_slots(const struct p11_context *context, unsigned int *ret_n);

/* Lets go of everybody's keys and of the slots: sessions are closed and logins end. */
void context_release(struct p11_context *context, const struct keystay_call_watch *watch);

/* That, and finalises the module. */
void context_unload(struct p11_context *context, const struct keystay_call_watch *watch);

/* Whether others than mine hold keys, which a release takes from them. */
bool context_has_other_keys(const struct p11_context *context, const struct context_hold *mine);

/*
 * Whether what takes others down may be done for a recovery: after one that must_wait was said of, the next
 * is half a minute away, else a second.
 */
bool context_may_climb(const struct p11_context *context);
void context_note_climb(struct p11_context *context, bool must_wait);

/*
 * Places for those who sign at once: a session each. libp11 opens sessions as it needs them, and hangs when
 * the token has no more; so nobody asks it for more than limit. The lowest limit counts. Waits for a place.
 */
void context_limit(struct p11_context *context, size_t limit);
size_t context_places(struct p11_context *context);
void context_take_place(struct p11_context *context);
void context_give_place(struct p11_context *context);

#endif
