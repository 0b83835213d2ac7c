/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_ACCESS_TOKEN_H
#define OAUTH_ACCESS_TOKEN_H

#include "base/secret.h"
#include "keystay/token.h"

struct keystay_token {
    struct secret value;
    int64_t expires_at_s;
};

/* An empty token, owned. */
enum keystay_status token_new(struct keystay_token **ret_token, struct keystay_error *err);
void token_freep(struct keystay_token **token);

#endif
