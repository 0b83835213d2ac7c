/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/autolock.h"

#include "agent/errand.h"
#include "agent/suspend.h"

#include <stdlib.h>

#include "base/clock.h"

enum { SLEPT_MS = 500 }; /* less is how exactly two clocks are read one after the other */

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
    holder_lock(errand->one);
    return KEYSTAY_OK;
}

/* To end a signer takes as long as its module takes: others keep time meanwhile. */
static void lock_all(struct agent *agent, struct world *world, const char *why)
{
    for (size_t i = 0; i < world->n; i++) {
        struct holder *holder = world->holders[i];
        struct holder_status status;

        holder_get_status(holder, &status);
        if (status.asks_a_person && status.state == HOLDER_READY) {
            struct errand errand = {
                .agent = agent, .world = world_share(world), .one = holder, .work = lock
            };

            log_warning(agent->log, "profile %s is locked: %s", holder_name(holder), why);
            errand_run(&errand);
        }
    }
}

void autolock_before_sleep(struct agent *agent)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);

    for (size_t i = 0; i < world->n && world->config->lock_on_suspend; i++) {
        struct holder *holder = world->holders[i];
        struct holder_status status;

        holder_get_status(holder, &status);
        if (status.asks_a_person && status.state == HOLDER_READY) {
            log_warning(
                agent->log, "profile %s is locked: the machine is about to sleep (lock_on_suspend)",
                holder_name(holder));
        }
        if (status.asks_a_person && (status.state == HOLDER_READY || status.state == HOLDER_LOCKED)) {
            holder_lock(holder); /* one that is locked may be being unlocked */
        }
    }
}

void autolock_tick(struct agent *agent)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    const int64_t idle_ms = (int64_t)world->config->lock_after_s * 1000;
    const bool slept = has_slept(agent);

    suspend_tick(agent, world->config->lock_on_suspend);
    if (slept && world->config->lock_on_suspend) {
        lock_all(agent, world, "the machine has slept (lock_on_suspend)");
    }
    if (idle_ms > 0 && clock_boot_ms() - atomic_load(&agent->last_used_ms) >= idle_ms) {
        lock_all(agent, world, "nobody asked for a token (lock_after)");
    }
}
