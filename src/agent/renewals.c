/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/renewals.h"

#include "agent/journal.h"
#include "base/clock.h"

/* A job_done. */
static void end(void *context, const struct outcome *outcome)
{
    const struct agent *agent = context;

    if (outcome->holder == NULL) {
        return; /* the agent ends */
    }
    pace_end(holder_pace(outcome->holder), outcome->status, clock_monotonic_ms());
    if (outcome->status != KEYSTAY_OK) {
        journal_failure(agent->log, holder_name(outcome->holder), "no token ahead of need", &outcome->error);
    }
}

struct beginning {
    struct agent *agent;
    struct holder *holder;
    int64_t now_ms;
};

/* A due_viewer. */
static void begin(void *context, const char *scope, const char *resource)
{
    const struct beginning *beginning = context;
    struct holder *holder = beginning->holder;
    const struct wish wish = { .scope = scope, .resource = resource, .is_renewal = true };

    pace_begin(holder_pace(holder));
    enum keystay_status status =
        jobs_add_own(beginning->agent->jobs, holder, &wish, end, beginning->agent, NULL);
    if (status != KEYSTAY_OK) {
        pace_end(holder_pace(holder), status, beginning->now_ms);
    }
}

void renewals_tick(struct agent *agent, int64_t now_ms)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);

    for (size_t i = 0; i < world->n; i++) {
        struct holder *holder = world->holders[i];
        struct beginning beginning = { agent, holder, now_ms };
        const unsigned int max =
            holder_signs_alone(holder, now_ms) ? pace_allows(holder_pace(holder), now_ms) : 0;

        if (max > 0) {
            holder_take_due(holder, max, begin, &beginning);
        }
    }
}
