/* SPDX-License-Identifier: Apache-2.0 */
#include "core/retry.h"

bool retry_may_help(enum keystay_status status, int http_status)
{
    return http_status == 0
               ? status == KEYSTAY_E_NETWORK
               : http_status == 408 || http_status == 429 || (http_status >= 500 && http_status <= 599);
}

int64_t retry_delay_ms(unsigned int n_failed, uint32_t random)
{
    int64_t longest_ms = RETRY_FIRST_MS;

    for (unsigned int i = 1; i < n_failed && longest_ms < RETRY_LONGEST_MS; i++) {
        longest_ms *= 2;
    }
    longest_ms = longest_ms < RETRY_LONGEST_MS ? longest_ms : RETRY_LONGEST_MS;
    return (int64_t)random % (longest_ms + 1);
}
