/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pace.h"

void pace_init(struct pace *pace, bool opens_alone)
{
    *pace = (struct pace){ .opens_alone = opens_alone };
    (void)pthread_mutex_init(&pace->lock, NULL);
}

void pace_clear(struct pace *pace)
{
    (void)pthread_mutex_destroy(&pace->lock);
}

static unsigned int allows(const struct pace *pace, int64_t now_ms)
{
    if (pace->pause_ms > 0) {
        return pace->n == 0 && now_ms >= pace->not_before_ms ? 1 : 0;
    }
    return pace->n < PACE_AT_ONCE_MAX ? PACE_AT_ONCE_MAX - pace->n : 0;
}

unsigned int pace_allows(struct pace *pace, int64_t now_ms)
{
    (void)pthread_mutex_lock(&pace->lock);
    const unsigned int n = allows(pace, now_ms);
    (void)pthread_mutex_unlock(&pace->lock);
    return n;
}

void pace_begin(struct pace *pace)
{
    (void)pthread_mutex_lock(&pace->lock);
    pace->n++;
    (void)pthread_mutex_unlock(&pace->lock);
}

static bool is_about_key(enum keystay_status status)
{
    return keystay_status_exit(status) == keystay_status_exit(KEYSTAY_E_MODULE);
}

/* Under the lock. Those that were begun together count as one. */
static void pause(struct pace *pace, enum keystay_status status, int64_t now_ms)
{
    if (pace->pause_ms > 0 && now_ms < pace->not_before_ms) {
        return;
    }
    pace->pause_ms = pace->pause_ms == 0 ? PACE_PAUSE_FIRST_MS : 2 * pace->pause_ms;
    pace->pause_ms = pace->pause_ms > PACE_PAUSE_MAX_MS ? PACE_PAUSE_MAX_MS : pace->pause_ms;
    pace->not_before_ms = pace->opens_alone || !is_about_key(status) ? now_ms + pace->pause_ms : INT64_MAX;
}

void pace_end(struct pace *pace, enum keystay_status status, int64_t now_ms)
{
    (void)pthread_mutex_lock(&pace->lock);
    pace->n--;
    if (status == KEYSTAY_OK) {
        pace->pause_ms = 0;
        pace->n_done++;
    } else {
        pause(pace, status, now_ms);
        pace->n_failed++;
    }
    (void)pthread_mutex_unlock(&pace->lock);
}

void pace_reset(struct pace *pace)
{
    (void)pthread_mutex_lock(&pace->lock);
    pace->pause_ms = 0;
    (void)pthread_mutex_unlock(&pace->lock);
}

void pace_counts(struct pace *pace, uint64_t *ret_n_done, uint64_t *ret_n_failed)
{
    (void)pthread_mutex_lock(&pace->lock);
    *ret_n_done = pace->n_done;
    *ret_n_failed = pace->n_failed;
    (void)pthread_mutex_unlock(&pace->lock);
}
