/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/autolock.h"

#include "agent/errand.h"
#include "agent/suspend.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

enum {
    SLEPT_MS = 500,         /* less is how exactly two clocks are read one after the other */
    BEFORE_SLEEP_MS = 4000, /* logind waits for five seconds, unless it was told otherwise */
};

/* One clock goes on while the machine sleeps, the other does not. */
static int64_t asleep_ms(void)
{
    return clock_boot_ms() - clock_monotonic_ms();
}

static bool has_slept(struct agent *agent)
{
    const int64_t before_ms = agent->asleep_ms;

    agent->asleep_ms = asleep_ms();
    return before_ms != 0 && agent->asleep_ms - before_ms > SLEPT_MS;
}

static enum keystay_status lock(struct errand *errand, struct keystay_error *err)
{
    (void)err;
    holder_rest(errand->one);
    return KEYSTAY_OK;
}

/* To end a signer takes as long as its module takes: others keep time meanwhile. */
static void lock_one(struct agent *agent, struct world *world, struct holder *holder, const char *why)
{
    struct errand errand = { .agent = agent, .world = world_share(world), .one = holder, .work = lock };

    log_warning(agent->log, "profile %s is locked: %s", holder_name(holder), why);
    errand_run(&errand);
}

/* What was opened until then. */
static void lock_all(struct agent *agent, struct world *world, int64_t until_ms, const char *why)
{
    for (size_t i = 0; i < world->n; i++) {
        struct holder_status status;

        holder_get_status(world->holders[i], &status);
        if (status.key.has_a_persons_pin && status.key.state == KEY_READY &&
            status.key.opened_at_ms <= until_ms) {
            lock_one(agent, world, world->holders[i], why);
        }
    }
}

/* Also one that is being unlocked. */
static bool has_pin(struct holder *holder)
{
    struct holder_status status;

    holder_get_status(holder, &status);
    return status.key.has_a_persons_pin && holder_has_signer(holder);
}

static const struct holder *find_with_pin(const struct world *world)
{
    for (size_t i = 0; i < world->n; i++) {
        if (has_pin(world->holders[i])) {
            return world->holders[i];
        }
    }
    return NULL;
}

void autolock_before_sleep(struct agent *agent)
{
    static const struct timespec moment = { .tv_nsec = 5000000 };
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    const int64_t deadline_ms = clock_monotonic_ms() + BEFORE_SLEEP_MS;
    const struct holder *late = NULL;

    for (size_t i = 0; i < world->n; i++) {
        if (has_pin(world->holders[i])) {
            lock_one(agent, world, world->holders[i], "the machine is about to sleep (lock_on_suspend)");
        }
    }
    while ((late = find_with_pin(world)) != NULL && clock_monotonic_ms() < deadline_ms) {
        (void)nanosleep(&moment, NULL);
    }
    if (late != NULL) {
        log_warning(
            agent->log,
            "profile %s: the machine goes to sleep before its signer has ended, which has the PIN",
            holder_name(late));
    }
}

void autolock_tick(struct agent *agent)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    const int64_t idle_ms = (int64_t)world->config->lock_after_s * 1000;
    const int64_t now_ms = clock_boot_ms();
    const bool slept = has_slept(agent);

    suspend_tick(agent, world->config->lock_on_suspend);
    if (slept && world->config->lock_on_suspend) {
        lock_all(agent, world, now_ms, "the machine has slept (lock_on_suspend)");
    }
    /* Whoever asked for a token may have waited that long for a person. */
    if (idle_ms > 0 && now_ms - atomic_load(&agent->last_used_ms) >= idle_ms) {
        lock_all(agent, world, now_ms - idle_ms, "nobody asked for a token (lock_after)");
    }
}
