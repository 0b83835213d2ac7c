/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CLIENT_H
#define CORE_CLIENT_H

#include "core/profile.h"
#include "http/http.h"
#include "keystay/client.h"

void client_freep(struct keystay_client **client);

/* As keystay_client_new, over a transport of the caller's (taken), and with the clock given: for tests. */
enum keystay_status client_new_with(
    const struct keystay_profile *profile, const struct keystay_log *log, struct http_transport *transport,
    int64_t (*now_s)(void), struct keystay_client **ret_client, struct keystay_error *err);

/* Whether the profile says what an access token is for; an assertion alone does not need that.
 * KEYSTAY_E_CONFIG. */
enum keystay_status client_check_target(const struct keystay_client *client, struct keystay_error *err);

/* The endpoint that tokens are asked from. Borrowed until the client is freed. */
const char *client_token_endpoint(const struct keystay_client *client);

#endif
