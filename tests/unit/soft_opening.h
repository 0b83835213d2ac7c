/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_SOFT_OPENING_H
#define UNIT_SOFT_OPENING_H

/*
 * Where the agent would have a module loaded, there is a signer of software, or what the test wants to go
 * wrong; and time is the test's. The program that uses it is linked with --wrap for keystay_pkcs11_open,
 * clock_monotonic_ms and clock_boot_ms.
 */

#include <p11-kit/pkcs11.h>
#include <stdbool.h>

#include "core/profile.h"
#include "rsa.h"

/* What the next opening ends in. */
struct soft_next {
    enum keystay_status status;
    CK_RV rv;
    unsigned int tries;
    enum keystay_status look; /* KEYSTAY_OK: the PIN is wanted, and none is there */
    bool asks_first;          /* it comes as far as the question for the PIN */
    int64_t certificate_ends_s;
    void (*meanwhile)(void *context); /* what somebody else does while it is opened; NULL: nothing */
    void *context;
};

/* What was seen of it. */
struct soft_seen {
    int n_opened, n_closed, n_looked;
    bool is_final_try, is_low_try;
    char pin[32];
    struct soft_signer *signer; /* the last one; borrowed */
};

extern struct soft_next soft_next;
extern struct soft_seen soft_seen;
extern int64_t soft_now_ms;

/* Begins anew: all openings will be well. A profile that can make an assertion, with this source of its PIN;
 * owned. */
struct keystay_profile *soft_profile(const char *pin_source);

#endif
