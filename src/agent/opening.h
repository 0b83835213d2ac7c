/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_OPENING_H
#define AGENT_OPENING_H

/*
 * Opens a profile's signer where a person may be at the other end of its PIN. Whoever was asked through
 * pinentry and mistyped is asked again, and told so, a few times; after a wrong PIN the token is asked what
 * it says of the tries that are left. What a wrong PIN was is not known here: no PIN is sent twice
 * (pkcs11/pin).
 */

#include "agent/opened.h"

/* One opening. */
struct opening {
    const struct keystay_profile *profile; /* borrowed, as meter and gift */
    struct meter *meter;
    const struct opened_gift *gift;
    bool (*is_wanted)(void *context); /* still; asked before each question */
    void *context;
    bool has_looked;        /* out: pin_tries is what the token says now */
    unsigned int pin_tries; /* out: enum keystay_pin_tries */
};

/* As opened_new. KEYSTAY_OK and NULL in *ret_opened: it was not wanted any more. */
enum keystay_status opening_run(
    struct opening *opening, struct opened **ret_opened, struct keystay_error *err);

/* Only looks, at what there is to know before a person is asked. As opened_look_at_pin. */
enum keystay_status opening_look(struct opening *opening, struct keystay_error *err);

#endif
