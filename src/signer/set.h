/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGNER_SET_H
#define SIGNER_SET_H

/*
 * Several keys for one client: tried in order, so that an HSM that is away does not stop the work while
 * another is there. Each key brings its own certificate, so a whole assertion is made with one or the other,
 * never half and half.
 *
 * A key that failed is put aside for a while and then probed again. One that failed for its PIN is put aside
 * for good: probing it would cost a try each time.
 */

#include "base/log.h"
#include "signer/signer.h"

/* Opens the signer that a config describes. */
typedef enum keystay_status (*signer_opener)(
    const void *config, struct keystay_signer **ret_signer, struct keystay_error *err);

struct signer_candidate {
    const void *config; /* borrowed for the set's life */
    const char *name;   /* likewise; for messages */
};

enum { SIGNER_SET_MAX = 16, SIGNER_PROBE_AFTER_MS = 60 * 1000 };

/* A signer over 1 to SIGNER_SET_MAX candidates; nothing is opened yet. now_ms is a clock that never steps
 * back. Owned. */
enum keystay_status signer_set_new(
    const struct signer_candidate *candidates, size_t n, signer_opener open, int64_t (*now_ms)(void),
    const struct keystay_log *log, struct keystay_signer **ret_set, struct keystay_error *err);

/* Something done with one key: compose and sign. */
typedef enum keystay_status (*signer_work)(
    struct keystay_signer *one, void *context, struct keystay_error *err);

/*
 * Does the work with the signer, or, if it is a set, with the first of its keys for which it succeeds. When
 * all fail, the error has the reason of each and the status of the first.
 */
enum keystay_status signer_with(
    struct keystay_signer *signer, signer_work work, void *context, struct keystay_error *err);

#endif
