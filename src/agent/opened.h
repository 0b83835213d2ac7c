/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_OPENED_H
#define AGENT_OPENED_H

/* A profile's signer while it is open, shared by those who sign with it: the last one closes it. */

#include <stdatomic.h>

#include "agent/meter.h"
#include "base/secret.h"
#include "core/keys.h"

struct opened {
    atomic_uint n_users;
    struct meter *meter; /* borrowed */
    struct keys keys;    /* in use as long as the signer */
    char pin_sources[PROFILE_LIST_MAX][16];
    int pin_fds[PROFILE_LIST_MAX]; /* a pipe with the PIN for each key that has not read it yet; or -1 */
    bool has_pin;                  /* of a person */
    struct keystay_signer *signer;
};

/* What a person has given for it. */
struct opened_gift {
    const struct secret *pin; /* NULL: the profile says where it comes from */
    bool is_final_try;        /* it may be sent though one more wrong one locks the token */
};

/* Loads the module in its process, logs in, finds the key. *ret_opened has one user. */
enum keystay_status opened_new(
    const struct keystay_profile *profile, struct meter *meter, const struct opened_gift *gift,
    struct opened **ret_opened, struct keystay_error *err);

/*
 * Does the same up to where a PIN would be sent, and sends none. *ret_tries: enum keystay_pin_tries.
 * KEYSTAY_E_PIN_LOCKED, and whatever is in the way of asking the module.
 */
enum keystay_status opened_look_at_pin(
    const struct keystay_profile *profile, struct meter *meter, unsigned int *ret_tries,
    struct keystay_error *err);
struct opened *opened_share(struct opened *opened);
void opened_freep(struct opened **opened);

/* Whether a person must give the PIN, at a terminal that the agent does not have. */
bool opened_asks_a_person(const struct keystay_profile *profile);

/* Whether it can be opened with nobody there: neither that person is needed nor one at a PIN pad or a window.
 */
bool opened_needs_nobody(const struct keystay_profile *profile);

/* Whether one is asked through pinentry, which finds a person by itself. */
bool opened_asks_in_a_window(const struct keystay_profile *profile);

#endif
