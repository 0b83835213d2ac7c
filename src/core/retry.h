/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RETRY_H
#define CORE_RETRY_H

/* What is tried again, and when. Nothing here waits or looks at a clock. */

#include <stdbool.h>

#include "http/http.h"

enum {
    RETRY_ATTEMPTS_MAX = 4,
    RETRY_FIRST_MS = 250, /* the longest wait before the second attempt; it doubles with each */
    RETRY_LONGEST_MS = 8000,
};

/*
 * Whether an attempt that ended in status, with the answer's HTTP status (0: there was no answer), may go
 * better next time: no connection, 408, 429, 5xx. Everything else would fail in the same way again.
 */
bool retry_may_help(enum keystay_status status, int http_status);

/*
 * How long to wait after n_failed attempts (1 and more): exponential, with full jitter, so that clients that
 * failed together do not come back together. random is any number.
 */
int64_t retry_delay_ms(unsigned int n_failed, uint32_t random);

#endif
