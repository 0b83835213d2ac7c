/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_CLIENT_WORLD_H
#define UNIT_CLIENT_WORLD_H

/* A client between a key in memory and a server that is made up: what passes, and what comes of it. */

#include "core/client.h"
#include "rsa.h"

enum { NOW_S = CERT_NOW_S, TEXT_MAX = 1 << 17 };

/* What a server would see, what it answers, and what the log says. */
struct world {
    int n_posts, n_closed;
    struct buf url, headers, form;
    int http_status;
    const char *answer;
    enum keystay_status transport_status;
    struct buf lines;
    struct keystay_log log;
    struct keystay_profile *profile;
    struct keystay_client *client;
    struct soft_signer *signer;
};

/* A profile with tenant and client id; start it when it says enough. */
void world_init(struct world *world);
void world_clear(struct world *world);
void world_set(struct world *world, const char *name, const char *value);
enum keystay_status world_start(struct world *world, struct keystay_error *err);

/* For Graph's scope. */
void world_start_for_graph(struct world *world);

enum keystay_status world_acquire(
    struct world *world, struct keystay_token **token, struct keystay_error *err);

#endif
