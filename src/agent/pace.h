/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_PACE_H
#define AGENT_PACE_H

/*
 * How many renewals ahead of need a profile may have under way, and how many there were. After one that
 * failed there is one at a time, at most one in PACE_PAUSE_MAX_MS in the end: it finds out for all the others
 * how key and server are. Safe for several threads at once.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "keystay/error.h"

enum {
    PACE_AT_ONCE_MAX = 6,       /* fewer than JOBS_OF_ONE_HOLDER_MAX: whoever waits comes first */
    PACE_PAUSE_FIRST_MS = 1000, /* doubles with each failure in a row */
    PACE_PAUSE_MAX_MS = 60000,
};

struct pace {
    pthread_mutex_t lock;  /* over all below */
    bool opens_alone;      /* no person is needed for the key */
    unsigned int n;        /* under way */
    int64_t pause_ms;      /* 0: the last one went well */
    int64_t not_before_ms; /* where it did not */
    uint64_t n_done;
    uint64_t n_failed;
};

void pace_init(struct pace *pace, bool opens_alone);
void pace_clear(struct pace *pace);

/* How many may begin now. */
unsigned int pace_allows(struct pace *pace, int64_t now_ms);

void pace_begin(struct pace *pace);

/* Where a person is needed for the key, one that could not sign is the last one before pace_reset: it may
 * want to be touched, and nobody is there who has asked for anything. */
void pace_end(struct pace *pace, enum keystay_status status, int64_t now_ms);

/* All is well, as somebody else has found out. */
void pace_reset(struct pace *pace);

void pace_counts(struct pace *pace, uint64_t *ret_n_done, uint64_t *ret_n_failed);

#endif
