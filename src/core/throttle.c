/* SPDX-License-Identifier: Apache-2.0 */
#include "core/throttle.h"

#include "http/date.h"

void throttle_init(struct throttle *throttle)
{
    (void)pthread_mutex_init(&throttle->lock, NULL);
    throttle->until_s = INT64_MIN;
}

void throttle_clear(struct throttle *throttle)
{
    (void)pthread_mutex_destroy(&throttle->lock);
}

int64_t throttle_until_s(struct throttle *throttle, struct clock_moment now)
{
    (void)pthread_mutex_lock(&throttle->lock);
    const int64_t until_s = throttle->until_s;
    (void)pthread_mutex_unlock(&throttle->lock);
    return until_s > now.now_s - now.lead_s ? until_s + now.lead_s : 0;
}

void throttle_note(struct throttle *throttle, int64_t until_s, int64_t lead_s)
{
    (void)pthread_mutex_lock(&throttle->lock);
    throttle->until_s = until_s - lead_s > throttle->until_s ? until_s - lead_s : throttle->until_s;
    (void)pthread_mutex_unlock(&throttle->lock);
}

bool throttle_read(const struct http_response *response, int64_t now_s, int64_t *ret_until_s)
{
    int64_t server_now_s = now_s;
    int64_t until_s = 0;

    if (response->status < 400) {
        return false;
    }
    (void)http_date_parse(response->date, &server_now_s);
    if (!http_retry_after_parse(response->retry_after, now_s, server_now_s, &until_s) || until_s <= now_s) {
        return false;
    }
    *ret_until_s = until_s > now_s + THROTTLE_LONGEST_S ? now_s + THROTTLE_LONGEST_S : until_s;
    return true;
}
