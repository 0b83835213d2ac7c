/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_HOLDER_H
#define AGENT_HOLDER_H

/*
 * What holds one profile's tokens, and the signer that they are got with. The signer is opened when the first
 * signature is needed, by a process of its own, and stays open. Safe for several threads at once.
 *
 * A signer that could not be opened is not tried again at once, and one whose PIN was refused, or for which a
 * person who was asked through pinentry did not want to give it, not before a person has acted
 * (holder_unlock, holder_reopen).
 */

#include "agent/pace.h"
#include "agent/wish.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/client.h"
#include "keystay/token.h"

struct holder;
struct meter;

/* profile is taken, also on failure; log is borrowed for its life. *ret_holder has one user. */
enum keystay_status holder_new(
    const char *name, struct keystay_profile *profile, const struct keystay_log *log,
    struct holder **ret_holder, struct keystay_error *err);
struct holder *holder_share(struct holder *holder);
void holder_freep(struct holder **holder);

const char *holder_name(const struct holder *holder);
const struct keystay_profile *holder_profile(const struct holder *holder);

/* What its keys have done. Borrowed. */
const struct meter *holder_meter(const struct holder *holder);

/* How its tokens are renewed. Borrowed. */
struct pace *holder_pace(struct holder *holder);

/* Without waiting: what is in memory and fresh, or NULL. Owned. */
struct keystay_token *holder_look(struct holder *holder, const struct wish *wish);

/* Says that what holder_get has got was handed out. */
void holder_note_use(struct holder *holder, const struct wish *wish);

/* Whether a token could be got now without a person and without what has just failed: not while the profile
 * is locked or its PIN was refused, nor where opening it would ask somebody. */
bool holder_signs_alone(struct holder *holder, int64_t now_ms);

/* As client_take_due. */
void holder_take_due(struct holder *holder, size_t max, due_viewer view, void *context);

/* Shows each token in memory. */
void holder_walk_tokens(struct holder *holder, token_viewer view, void *context);

/* Takes as long as it takes. *ret_token is owned. */
enum keystay_status holder_get(
    struct holder *holder, const struct wish *wish, struct keystay_token **ret_token,
    struct keystay_error *err);

/*
 * Opens the signer with a PIN that a person has given (moved from; empty: it comes from where the profile
 * says). is_final_try: it may be sent though one more wrong one locks the token.
 */
enum keystay_status holder_unlock(
    struct holder *holder, struct secret *pin, bool is_final_try, struct keystay_error *err);

/*
 * Before a person is asked: what the token says now of the tries that are left, without a PIN. *ret_tries:
 * enum keystay_pin_tries; 0 also while it is open. KEYSTAY_E_PIN_LOCKED; or the module cannot be asked.
 */
enum keystay_status holder_look_at_pin(
    struct holder *holder, unsigned int *ret_tries, struct keystay_error *err);

/* Ends the signer and forgets its PIN; no new token is got before holder_unlock. Tokens stay. One that is
 * being opened meanwhile is not waited for: it is ended when it is there. */
void holder_lock(struct holder *holder);

/* The same when nobody has asked for that: where a person is asked through pinentry, the next request does
 * so. */
void holder_rest(struct holder *holder);

/* Whether there is a process that has the PIN: also while it signs on, or is ended, after a lock. */
bool holder_has_signer(const struct holder *holder);

/* Forgets the tokens. */
void holder_forget(struct holder *holder);

/* Has the next signature open the signer anew: certificates may have changed. One whose PIN a person has
 * given stays as it is. What is being opened meanwhile is opened once more. */
void holder_reopen(struct holder *holder);

/* Whether it should be reopened to look for a newer certificate: once a day where the one in use ends within
 * a month. */
bool holder_is_due(struct holder *holder, int64_t now_s);

enum holder_state {
    HOLDER_IDLE, /* nothing has been signed yet */
    HOLDER_READY,
    HOLDER_LOCKED,    /* holder_unlock */
    HOLDER_PIN_WRONG, /* likewise; the PIN was refused */
    HOLDER_FAILING,   /* tried again by itself */
};

/* The last token that could not be got. */
struct holder_failure {
    int64_t at_s; /* 0: there was none */
    enum keystay_status status;
    char message[KEYSTAY_ERROR_MESSAGE_SIZE];
};

struct holder_status {
    enum holder_state state;
    bool asks_a_person;             /* for its PIN: at a terminal, by holder_unlock */
    bool has_a_persons_pin;         /* while it is open: of that one, or of one in front of pinentry */
    bool has_looked;                /* since the last PIN that was right */
    unsigned int pin_tries;         /* then: enum keystay_pin_tries */
    unsigned int n_slow_signatures; /* that wait for the token now, perhaps for a touch */
    size_t n_tokens;
    int64_t certificate_ends_s; /* 0: not known yet */
    struct keystay_error error; /* why it fails */
    struct holder_failure last_failure;
};

/* "ready", "locked", ... Static. */
const char *holder_state_name(enum holder_state state);

void holder_get_status(struct holder *holder, struct holder_status *ret_status);

#endif
