/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_WORLD_H
#define AGENT_WORLD_H

/*
 * What the configuration says, and the holders of its profiles. It is never changed: when the configuration
 * is read anew, a new one takes its place, and the old one goes with the last request that began in it.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "agent/agent_config.h"
#include "agent/holder.h"

struct world {
    atomic_uint n_users;
    struct agent_config *config; /* owned */
    struct holder **holders;     /* each shared */
    size_t n;
};

/*
 * before: NULL, or the world whose holders go on where their profiles say the same. A profile that cannot be
 * used is left out with a warning, unless the configuration names it for the agent. *ret_world has one user.
 */
enum keystay_status world_load(
    const char *config_path, const struct world *before, const struct keystay_log *log,
    struct world **ret_world, struct keystay_error *err);
struct world *world_share(struct world *world);
void world_freep(struct world **world);

/* Waits until nobody but the caller has it, or the deadline. */
void world_outlive(const struct world *world, int64_t deadline_ms);

/* NULL when there is none of that name. Borrowed from world. */
struct holder *world_find(const struct world *world, const char *name);

/* The profile that a mistyped name most likely means, or NULL. Borrowed from world. */
const char *world_suggest(const struct world *world, const char *name);

/* Where the present one is. */
struct world_place {
    pthread_rwlock_t lock;
    struct world *world;
};

void world_place_init(struct world_place *place);
void world_place_clear(struct world_place *place);
void world_put(struct world_place *place, struct world *world);
/* Shared: world_freep. */
struct world *world_get(struct world_place *place);

#endif
