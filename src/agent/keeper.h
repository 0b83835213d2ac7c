/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_KEEPER_H
#define AGENT_KEEPER_H

/*
 * Keeps one profile's signer: has it opened when it is needed, by a process of its own, shares it, locks it,
 * and knows when not to try. One that could not be opened is not tried again at once, and one whose PIN was
 * refused, or for which a person who was asked through pinentry did not want to give it, not before a person
 * has acted (keeper_unlock, keeper_reopen). Safe for several threads at once.
 */

#include <pthread.h>

#include "agent/opened.h"
#include "base/log.h"

enum key_state {
    KEY_IDLE, /* nothing has been signed yet */
    KEY_READY,
    KEY_LOCKED,    /* keeper_unlock */
    KEY_PIN_WRONG, /* likewise; the PIN was refused */
    KEY_FAILING,   /* the next request tries again, after a pause */
};

/* "ready", "locked", ... Static. */
const char *key_state_name(enum key_state state);

struct keeper {
    const char *name; /* of the profile; borrowed, as all up to meter */
    const struct keystay_profile *profile;
    const struct keystay_log *log;
    struct meter *meter;
    bool asks_a_person;
    bool opens_alone;
    bool asks_in_a_window;
    pthread_mutex_t lock;      /* over what follows; never held while something is opened or signed */
    pthread_cond_t has_opened; /* or has failed to */
    bool is_opening;
    bool is_opening_with_pin; /* that a person has given, or is asked for */
    unsigned int epoch;       /* what was begun in an earlier one is not wanted any more */
    struct opened *opened;    /* NULL: nothing is open. Owned */
    enum key_state state;
    int64_t since_s;
    struct keystay_error error; /* of KEY_PIN_WRONG and KEY_FAILING */
    bool has_looked;
    unsigned int pin_tries;
    int64_t try_after_ms; /* of KEY_FAILING */
    int64_t pause_ms;
    int64_t opened_at_ms;
};

/* All are borrowed for its life. */
void keeper_init(
    struct keeper *keeper, const char *name, const struct keystay_profile *profile,
    const struct keystay_log *log, struct meter *meter);
/* Of one that keeper_init has made. */
void keeper_clear(struct keeper *keeper);

/* The signer, which is opened unless it is. Takes as long as it takes. *ret_opened is a share of the
 * caller's.
 */
enum keystay_status keeper_take(struct keeper *keeper, struct opened **ret_opened, struct keystay_error *err);

/* Says what has become of a signature, or a token, with opened (NULL: it was not needed). Gives that up where
 * it cannot put it right by itself, and words an error for callers. */
enum keystay_status keeper_note_failure(
    struct keeper *keeper, const struct opened *opened, enum keystay_status status,
    struct keystay_error *error);

/*
 * Opens it with a PIN that a person has given (empty: it comes from where the profile says). is_final_try: it
 * may be sent though one more wrong one locks the token.
 */
enum keystay_status keeper_unlock(
    struct keeper *keeper, const struct secret *pin, bool is_final_try, struct keystay_error *err);

/*
 * Before a person is asked: what the token says now of the tries that are left, without a PIN. *ret_tries:
 * enum keystay_pin_tries; 0 also while it is open. KEYSTAY_E_PIN_LOCKED; or the module cannot be asked.
 */
enum keystay_status keeper_look_at_pin(
    struct keeper *keeper, unsigned int *ret_tries, struct keystay_error *err);

/* Ends the signer, which forgets its PIN. One that is being opened meanwhile is not waited for: it is ended
 * when it is there. may_ask_again: where a person is asked through pinentry, the next request does so. */
void keeper_lock(struct keeper *keeper, bool may_ask_again);

/* Has the next signature open it anew. One whose PIN a person has given stays as it is. What is being opened
 * meanwhile is opened once more. */
void keeper_reopen(struct keeper *keeper);

/* Whether it could sign now without a person and without what has just failed. */
bool keeper_signs_alone(struct keeper *keeper, int64_t now_ms);

/* Whether it should be reopened to look for a newer certificate: once a day where the one in use ends within
 * a month. */
bool keeper_is_due(struct keeper *keeper, int64_t now_s);

struct keeper_status {
    enum key_state state;
    int64_t since_s;
    int64_t tries_again_in_s; /* of KEY_FAILING: before that a request fails with what failed the last time */
    bool is_opening;          /* now */
    int64_t opened_at_ms;     /* the last time: clock_boot_ms */
    bool asks_a_person;       /* for its PIN: at a terminal, by keeper_unlock */
    bool has_a_persons_pin;   /* while it is open: of that one, or of one in front of pinentry */
    bool has_looked;          /* since the last PIN that was right */
    unsigned int pin_tries;   /* then: enum keystay_pin_tries */
    struct keystay_error error; /* why it fails */
};

void keeper_get_status(struct keeper *keeper, struct keeper_status *ret_status);

#endif
