/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/ask.h"
#include "agent/assertion_files.h"
#include "agent/autolock.h"
#include "agent/environments.h"
#include "agent/errand.h"
#include "agent/grants.h"
#include "agent/handouts.h"
#include "agent/journal.h"
#include "agent/listen.h"
#include "agent/policy.h"
#include "agent/renewals.h"
#include "agent/service.h"
#include "agent/suspend.h"
#include "base/clock.h"
#include "base/error.h"

enum { THREADS = 2, RECEIVE_MS = 30000, END_MS = 10000, DRAIN_MS = 2000, OUTLIVE_MS = 5000 };

static void set_world(struct agent *agent, struct world *world)
{
    atomic_store(&agent->request_ms, (int64_t)world->config->request_timeout_s * 1000);
    world_put(&agent->world, world);
}

/* The holders of before whose signer must see what has changed outside of the configuration. */
static void reopen_those_kept(const struct world *before, const struct world *world)
{
    for (size_t i = 0; i < world->n; i++) {
        if (world_find(before, holder_name(world->holders[i])) == world->holders[i]) {
            holder_reopen(world->holders[i]);
        }
    }
}

/* The new configuration is in force whatever becomes of them. */
static void refresh_files(struct agent *agent)
{
    struct keystay_error error;

    if (agent->is_private) {
        return;
    }
    if (environments_refresh(agent, &error) != KEYSTAY_OK ||
        assertion_files_refresh(agent, &error) != KEYSTAY_OK) {
        log_warning(agent->log, "%s", error.message);
    }
}

/* Under the lock. */
static enum keystay_status reload(struct agent *agent, struct keystay_error *err)
{
    CLEANUP(world_freep) struct world *before = world_get(&agent->world);
    struct world *world = NULL;

    service_say_reloading();
    enum keystay_status status = world_load(agent->config_path, before, agent->log, &world, err);
    if (status == KEYSTAY_OK) {
        const size_t n = world->n;

        reopen_those_kept(before, world);
        set_world(agent, world);
        /* Its last user ends the signers that nobody wants any more, and takes the time that it takes. */
        world_outlive(before, clock_monotonic_ms() + OUTLIVE_MS);
        journal_note(
            agent->log, "the configuration was read anew: %zu %s", n, n == 1 ? "profile" : "profiles");
        refresh_files(agent);
    }
    service_say_ready("serving");
    return status;
}

static enum keystay_status reopen(struct errand *errand, struct keystay_error *err)
{
    (void)err;
    holder_reopen(errand->one);
    return KEYSTAY_OK;
}

static void tick_holders(struct agent *agent)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    const int64_t now_s = clock_now_s();

    for (size_t i = 0; i < world->n; i++) {
        if (holder_is_due(world->holders[i], now_s)) {
            struct errand errand = {
                .agent = agent, .world = world_share(world), .one = world->holders[i], .work = reopen
            };

            errand_run(&errand);
        }
    }
}

enum keystay_status agent_reload(struct agent *agent, struct keystay_error *err)
{
    (void)pthread_mutex_lock(&agent->reload_lock);
    enum keystay_status status = reload(agent, err);
    (void)pthread_mutex_unlock(&agent->reload_lock);
    return status;
}

static enum keystay_status reload_by_signal(struct errand *errand, struct keystay_error *err)
{
    enum keystay_status status = agent_reload(errand->agent, err);

    return status == KEYSTAY_OK ? status : err_prefix(err, status, "everything stays as it was");
}

void agent_reload_soon(struct agent *agent)
{
    struct errand errand = { .agent = agent, .work = reload_by_signal };

    errand_run(&errand);
}

enum keystay_status agent_tick(struct agent *agent, int64_t now_ms, struct keystay_error *err)
{
    jobs_tick(agent->jobs, now_ms);
    errands_tick(now_ms);
    (void)grants_tick(agent->grants);
    handouts_tick(agent->handouts, now_ms);
    journal_tick(agent->log, now_ms);
    assertion_files_tick(agent, now_ms);
    autolock_tick(agent);
    tick_holders(agent);
    renewals_tick(agent, now_ms);
    service_pat_watchdog(now_ms);
    return httpd_tick(agent->httpd, now_ms, err);
}

/* An httpd_config's. */
static bool knows(void *context, const struct peer *peer)
{
    struct agent *agent = context;
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);

    return policy_knows(world->config, peer);
}

/* An httpd_config's. */
static void note_refused(void *context, const struct keystay_error *why)
{
    const struct agent *agent = context;

    journal_warn(agent->log, "", "a connection was refused: %s", why->message);
}

static enum keystay_status make_httpd(struct agent *agent, struct keystay_error *err)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    const long descriptors = sysconf(_SC_OPEN_MAX); /* below 0: there is no limit */
    const struct httpd_config config = {
        .handle = agent_handle,
        .knows = knows,
        .note_refused = note_refused,
        .context = agent,
        .log = agent->log,
        .connections_max = world->config->max_connections,
        .connections_max_user = world->config->max_connections_per_user,
        .connections_max_all = descriptors / 2 > 0 ? (unsigned int)(descriptors / 2) : UINT_MAX,
        .threads = THREADS,
        .receive_ms = RECEIVE_MS,
    };

    return httpd_new(&config, &agent->httpd, err);
}

/* The profiles that the configuration wants opened have a token by the time that somebody asks. */
static void open_ahead(struct agent *agent)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    static const struct wish own = { 0 };

    for (size_t i = 0; i < world->config->opened.n; i++) {
        struct holder *holder = world_find(world, world->config->opened.items[i]);
        struct holder_status status;

        holder_get_status(holder, &status);
        if (status.key.state != KEY_LOCKED) {
            (void)jobs_add(agent->jobs, holder, &own, NULL, 0, NULL);
        }
    }
}

enum keystay_status agent_start(
    struct agent *agent, const char *config_path, int only_fd, const struct keystay_log *log,
    struct keystay_error *err)
{
    struct world *world = NULL;

    *agent = (struct agent){ .config_path = config_path, .log = log, .started_s = clock_now_s() };
    world_place_init(&agent->world);
    (void)pthread_mutex_init(&agent->doors.lock, NULL);
    (void)pthread_mutex_init(&agent->reload_lock, NULL);
    TRY(world_load(config_path, NULL, log, &world, err));
    set_world(agent, world);
    TRY(grants_new(&agent->grants, err));
    TRY(handouts_new(log, &agent->handouts, err));
    TRY(jobs_new(ask_answer, agent, log, &agent->jobs, err));
    TRY(make_httpd(agent, err));
    TRY(environments_new(&agent->environments, err));
    TRY(assertion_files_new(log, &agent->assertion_files, err));
    agent->is_private = only_fd >= 0;
    if (agent->is_private) {
        return httpd_serve(agent->httpd, only_fd, PEER_UNIX, err);
    }
    TRY(listen_everywhere(agent, err));
    TRY(environments_refresh(agent, err));
    TRY(assertion_files_refresh(agent, err));
    open_ahead(agent);
    return KEYSTAY_OK;
}

bool agent_end(struct agent *agent)
{
    atomic_store(&agent->is_ending, true);
    service_say_stopping();
    listen_end(agent);
    if (agent->httpd != NULL) {
        httpd_close_doors(agent->httpd);
    }
    suspend_end(agent);
    assertion_files_end(agent->assertion_files);
    environments_end(agent->environments);
    const int64_t deadline_ms = clock_monotonic_ms() + END_MS;
    const bool jobs_are_done = agent->jobs == NULL || jobs_end(agent->jobs, deadline_ms);
    const bool errands_are_done = errands_end(deadline_ms);
    if (agent->httpd != NULL) {
        httpd_drain(agent->httpd, clock_monotonic_ms() + DRAIN_MS);
    }
    if (!jobs_are_done || !errands_are_done) {
        return false; /* a thread is still at work with all this */
    }
    httpd_freep(&agent->httpd);
    jobs_freep(&agent->jobs);
    assertion_files_freep(&agent->assertion_files);
    environments_freep(&agent->environments);
    grants_freep(&agent->grants);
    handouts_freep(&agent->handouts);
    world_place_clear(&agent->world);
    listen_clear(agent);
    (void)pthread_mutex_destroy(&agent->reload_lock);
    return true;
}
