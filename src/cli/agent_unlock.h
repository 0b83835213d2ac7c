/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_AGENT_UNLOCK_H
#define CLI_AGENT_UNLOCK_H

/* The PIN that an agent waits for, from a person or from wherever else: over its owner's socket only. */

#include "cli/agent_client.h"
#include "pkcs11/pin_source.h"

enum { AGENT_WHERE_SIZE = 256 };

/* How the agent has a profile. */
struct agent_profile {
    bool is_open;                 /* a signer that has its PIN */
    bool is_locked;               /* waits for agent_unlock */
    bool asks_a_person;           /* for the PIN */
    bool is_slow;                 /* a signature takes its time, perhaps for a touch */
    char where[AGENT_WHERE_SIZE]; /* what a person is told, and which key it is of */
};

/* What the agent tells of a profile to whoever may steer it. KEYSTAY_E_CONFIG: it has none of that name. */
enum keystay_status agent_look(
    struct agent_client *client, const char *name, struct agent_profile *ret_profile,
    struct keystay_error *err);

/*
 * Gives it the PIN of source; NULL: a profile that gets its PIN itself is to do so. A person is told what the
 * token says of the tries that are left, and not asked where the PIN would not be sent: KEYSTAY_E_PIN_LOCKED,
 * and KEYSTAY_E_PIN_REFUSED on the last try, unless is_final_try.
 */
enum keystay_status agent_unlock(
    struct agent_client *client, const char *name, const struct agent_profile *profile,
    const struct pin_source *source, bool is_final_try, struct keystay_error *err);

/* enum keystay_pin_tries, as the agent writes them. */
unsigned int agent_read_tries(const struct json *pin);

/* Whether somebody sits at a terminal who can be asked. */
bool agent_person_is_there(void);

/* Asks the person who sits there, if the profile waits for that. */
enum keystay_status agent_unlock_by_person(
    struct agent_client *client, const char *name, struct keystay_error *err);

#endif
