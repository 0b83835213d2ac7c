/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/world.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "base/suggest.h"
#include "core/config.h"

static bool is_named_for_the_agent(const struct world *world, const char *name)
{
    for (size_t i = 0; i < world->config->opened.n; i++) {
        if (str_equal(world->config->opened.items[i], name)) {
            return true;
        }
    }
    return false;
}

/* What goes on from before: the same settings get the same tokens. */
static struct holder *find_same(
    const struct world *before, const char *name, const struct keystay_profile *profile)
{
    struct holder *holder = before == NULL ? NULL : world_find(before, name);

    return holder != NULL && profile_equal(holder_profile(holder), profile) ? holder_share(holder) : NULL;
}

static enum keystay_status make_holder(
    const struct config *config, const struct world *before, const char *name, const struct keystay_log *log,
    struct holder **ret_holder, struct keystay_error *err)
{
    CLEANUP(profile_freep) struct keystay_profile *profile = NULL;

    TRY(keystay_profile_new(&profile, err));
    TRY(config_apply(config, name, profile, err));
    *ret_holder = find_same(before, name, profile);
    return *ret_holder != NULL ? KEYSTAY_OK : holder_new(name, take_ptr(&profile), log, ret_holder, err);
}

static enum keystay_status add_holder(
    const struct config *config, const struct world *before, const char *name, const struct keystay_log *log,
    struct world *world, struct keystay_error *err)
{
    struct keystay_error error = { 0 };
    enum keystay_status status = make_holder(config, before, name, log, &world->holders[world->n], &error);

    if (status == KEYSTAY_OK) {
        world->n++;
        return KEYSTAY_OK;
    }
    if (is_named_for_the_agent(world, name)) {
        *err = error;
        return err_prefix(err, status, "profile %s", name);
    }
    log_warning(log, "profile %s cannot be used: %s", name, error.message);
    return KEYSTAY_OK;
}

enum keystay_status world_load(
    const char *config_path, const struct world *before, const struct keystay_log *log,
    struct world **ret_world, struct keystay_error *err)
{
    CLEANUP(config_clear) struct config config = { 0 };
    CLEANUP(world_freep) struct world *world = calloc(1, sizeof(*world));
    const struct agent_host host = agent_host();

    if (world == NULL) {
        return err_no_memory(err);
    }
    atomic_init(&world->n_users, 1);
    TRY(config_read(config_path, &config, err));
    TRY(agent_config_new(&config, &host, &world->config, err));
    world->holders = calloc(world->config->profiles.n + 1, sizeof(struct holder *));
    if (world->holders == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < world->config->profiles.n; i++) {
        TRY(add_holder(&config, before, world->config->profiles.items[i], log, world, err));
    }
    *ret_world = take_ptr(&world);
    return KEYSTAY_OK;
}

struct world *world_share(struct world *world)
{
    (void)atomic_fetch_add(&world->n_users, 1);
    return world;
}

void world_outlive(const struct world *world, int64_t deadline_ms)
{
    static const struct timespec moment = { .tv_nsec = 2000000 };

    while (atomic_load(&world->n_users) > 1 && clock_monotonic_ms() < deadline_ms) {
        (void)nanosleep(&moment, NULL);
    }
}

void world_freep(struct world **world_at)
{
    struct world *world = take_ptr(world_at);

    if (world != NULL && atomic_fetch_sub(&world->n_users, 1) == 1) {
        for (size_t i = 0; i < world->n; i++) {
            holder_freep(&world->holders[i]);
        }
        free(world->holders);
        agent_config_free(world->config);
        free(world);
    }
}

struct holder *world_find(const struct world *world, const char *name)
{
    for (size_t i = 0; i < world->n; i++) {
        if (str_equal(holder_name(world->holders[i]), name)) {
            return world->holders[i];
        }
    }
    return NULL;
}

const char *world_suggest(const struct world *world, const char *name)
{
    const char *names[CONFIG_NAMES_SIZE] = { NULL };

    for (size_t i = 0; i < world->n && i + 1 < ARRAY_LEN(names); i++) {
        names[i] = holder_name(world->holders[i]);
    }
    return suggest_nearest(name, names);
}

void world_place_init(struct world_place *place)
{
    (void)pthread_rwlock_init(&place->lock, NULL);
    place->world = NULL;
}

void world_place_clear(struct world_place *place)
{
    world_freep(&place->world);
    (void)pthread_rwlock_destroy(&place->lock);
}

void world_put(struct world_place *place, struct world *world)
{
    (void)pthread_rwlock_wrlock(&place->lock);
    struct world *before = place->world;
    place->world = world;
    (void)pthread_rwlock_unlock(&place->lock);
    world_freep(&before);
}

struct world *world_get(struct world_place *place)
{
    (void)pthread_rwlock_rdlock(&place->lock);
    struct world *world = world_share(place->world);
    (void)pthread_rwlock_unlock(&place->lock);
    return world;
}
