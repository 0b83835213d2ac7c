/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_ACCESS_TOKEN_H
#define OAUTH_ACCESS_TOKEN_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/secret.h"
#include "keystay/token.h"

enum { TOKEN_LEN_MAX = 256 * 1024 };

/* Filled in by one thread, then read-only but for the count. Times are Unix seconds by this machine's clock.
 */
struct keystay_token {
    struct secret value;
    int64_t obtained_at_s;
    int64_t expires_at_s;
    int64_t refresh_at_s;     /* 0: not said */
    int64_t ext_expires_at_s; /* 0: not said */
    int64_t lead_s;           /* the clock's, when it showed these: clock_lead_s */
    atomic_uint n_holders;
};

/* An empty token with one holder. Owned. */
enum keystay_status token_new(struct keystay_token **ret_token, struct keystay_error *err);
void token_freep(struct keystay_token **token);

/* One more holder, who frees it too. Gives the token back. */
struct keystay_token *token_share(struct keystay_token *token);

/* How long it lives on; 0 or less: it has ended, or the clock was set back since, and whoever is told when it
 * ends would use it for longer. */
int64_t token_left_s(const struct keystay_token *token, struct clock_moment now);

/* How long ago it was asked for, whatever was done to the clock since. To the second before or after. */
int64_t token_age_s(const struct keystay_token *token, struct clock_moment now);

/*
 * Whoever uses a token puts it into a header: a line end in it would be a header of somebody else's making.
 * Only visible ASCII, 1 to TOKEN_LEN_MAX bytes. KEYSTAY_E_SERVER_RESPONSE.
 */
enum keystay_status token_check_value(const struct secret *value, struct keystay_error *err);

#endif
