/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/refused.h"

#include <stdio.h>

#include "base/str.h"
#include "crypto/digest.h"

enum { DIGEST_BYTES = 32 };

static bool has_digest(const struct keystay_token *token, const char *hex)
{
    uint8_t digest[DIGEST_BYTES];
    char text[2 * DIGEST_BYTES + 1];

    if (digest_of("SHA256", slice_of_str(keystay_token_value(token)), digest, sizeof(digest), NULL) !=
        KEYSTAY_OK) {
        return true; /* rather a new token than one that was refused */
    }
    for (size_t i = 0; i < sizeof(digest); i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    return str_iequal(text, hex);
}

enum refused_verdict refused_judge(const struct keystay_token *held, const char *hex, struct clock_moment now)
{
    if (held == NULL || hex == NULL || !has_digest(held, hex)) {
        return REFUSED_IS_ANOTHER;
    }
    return token_age_s(held, now) < REFUSED_YOUNG_S ? REFUSED_IS_YOUNG : REFUSED_IS_OLD;
}
