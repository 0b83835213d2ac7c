/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/assertion_files.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "agent/folder.h"
#include "agent/shared_file.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "oauth/access_token.h"

enum {
    LIFETIME_S = 25 * 60,
    RENEW_MS = 5 * 60 * 1000,
    KEPT_BY_SDKS_MS = 10 * 60 * 1000,
    TRY_AGAIN_MS = 10 * 1000,
    COMPLAIN_MS = 60 * 1000, /* between two warnings of one file */
};

struct assertion_file {
    struct assertion_file *next;
    struct assertion_files *all;
    char *profile; /* owned */
    struct shared_file shared;
    int64_t due_ms;         /* when it is made anew; 0: now */
    int64_t ends_s;         /* of what is in it; 0: it is not there */
    int64_t lead_s;         /* the clock's, that ends_s is of */
    int64_t complain_at_ms; /* not before */
    bool is_pending;        /* a job is at it */
    bool is_stale;          /* and what it makes is of an earlier configuration */
    bool is_dropped;        /* likewise; the file is listed for its sake alone */
};

struct assertion_files {
    const struct keystay_log *log;
    pthread_mutex_t lock; /* over all below */
    struct assertion_file *first;
    bool is_ending;
};

enum keystay_status assertion_files_new(
    const struct keystay_log *log, struct assertion_files **ret_files, struct keystay_error *err)
{
    struct assertion_files *files = calloc(1, sizeof(*files));

    if (files == NULL) {
        return err_no_memory(err);
    }
    files->log = log;
    (void)pthread_mutex_init(&files->lock, NULL);
    *ret_files = files;
    return KEYSTAY_OK;
}

static void file_freep(struct assertion_file **file)
{
    if (*file != NULL) {
        shared_file_clear(&(*file)->shared);
        free((*file)->profile);
        free(*file);
    }
    *file = NULL;
}

void assertion_files_freep(struct assertion_files **files_at)
{
    struct assertion_files *files = take_ptr(files_at);

    if (files == NULL) {
        return;
    }
    while (files->first != NULL) {
        struct assertion_file *file = files->first;

        files->first = file->next;
        file_freep(&file);
    }
    (void)pthread_mutex_destroy(&files->lock);
    free(files);
}

/* From here on, what is static is called under the lock. */
static void remove_file(struct assertion_file *file)
{
    shared_file_remove(&file->shared);
    file->ends_s = 0;
}

void assertion_files_end(struct assertion_files *files)
{
    if (files == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&files->lock);
    files->is_ending = true;
    for (struct assertion_file *file = files->first; file != NULL; file = file->next) {
        if (!file->is_dropped) {
            remove_file(file);
        }
    }
    (void)pthread_mutex_unlock(&files->lock);
}

static void complain(struct assertion_file *file, const char *why)
{
    const int64_t now_ms = clock_monotonic_ms();

    if (now_ms >= file->complain_at_ms) {
        file->complain_at_ms = now_ms + COMPLAIN_MS;
        log_warning(
            file->all->log, "%s is not renewed with profile %s: %s", file->shared.path, file->profile, why);
    }
}

/* The next one comes while there is as much time again as an SDK may keep this one, if it lives that long. */
static void put(struct assertion_file *file, const struct keystay_token *assertion)
{
    const int64_t lives_ms = (assertion->expires_at_s - assertion->obtained_at_s) * 1000;
    const bool is_first = file->ends_s == 0;
    struct keystay_error error;

    if (shared_file_write(&file->shared, secret_slice(&assertion->value), &error) != KEYSTAY_OK) {
        complain(file, error.message);
        file->due_ms = clock_monotonic_ms() + TRY_AGAIN_MS;
        return;
    }
    file->ends_s = assertion->expires_at_s;
    file->lead_s = assertion->lead_s;
    file->due_ms = clock_monotonic_ms() + (lives_ms / 2 < RENEW_MS ? lives_ms / 2 : RENEW_MS);
    if (is_first && lives_ms < RENEW_MS + KEPT_BY_SDKS_MS) {
        log_warning(
            file->all->log,
            "an assertion in %s lives for %lld s only: an SDK that keeps it for ten minutes may come too late",
            file->shared.path, (long long)lives_ms / 1000);
    }
}

static void unlist(struct assertion_file *file)
{
    struct assertion_file **at = &file->all->first;

    while (*at != file) {
        at = &(*at)->next;
    }
    *at = file->next;
    file_freep(&file);
}

/* A job_done. */
static void take(void *context, const struct outcome *outcome)
{
    struct assertion_file *file = context;
    struct assertion_files *files = file->all;

    (void)pthread_mutex_lock(&files->lock);
    file->is_pending = false;
    if (file->is_dropped) {
        unlist(file);
    } else if (files->is_ending) {
        file->due_ms = INT64_MAX;
    } else if (file->is_stale) {
        file->due_ms = 0;
    } else if (outcome->status == KEYSTAY_OK) {
        put(file, outcome->token);
    } else {
        file->due_ms = clock_monotonic_ms() + TRY_AGAIN_MS;
        complain(file, outcome->error.message);
    }
    (void)pthread_mutex_unlock(&files->lock);
}

/* What no trying will change, but somebody who comes may. */
static bool waits_for_a_person(struct holder *holder)
{
    struct holder_status status;

    holder_get_status(holder, &status);
    return status.key.state == KEY_LOCKED || status.key.state == KEY_PIN_WRONG;
}

static void renew(struct agent *agent, const struct world *world, struct assertion_file *file)
{
    static const struct wish wish = { .is_assertion = true, .lifetime_s = LIFETIME_S };
    struct holder *holder = world_find(world, file->profile);
    struct keystay_error error;

    if (holder == NULL) {
        complain(file, "the profile cannot be used");
        return;
    }
    if (waits_for_a_person(holder)) {
        complain(file, "it is locked (keystay agent unlock)");
        return;
    }
    file->is_pending = true;
    file->is_stale = false;
    if (jobs_add_own(agent->jobs, holder, &wish, take, file, &error) != KEYSTAY_OK) {
        file->is_pending = false;
        complain(file, error.message);
    }
}

/* The clock was set: the assertion is of another time than a server's, and is made anew at once. Until then
 * it ends no later than it would have. */
static void follow_clock(struct assertion_file *file, int64_t lead_s)
{
    const int64_t set_s = lead_s - file->lead_s;

    if (file->ends_s != 0 && (set_s > CLOCK_SLACK_S || set_s < -CLOCK_SLACK_S)) {
        file->ends_s += set_s < 0 ? set_s : 0;
        file->lead_s = lead_s;
        file->due_ms = 0;
    }
}

void assertion_files_tick(struct agent *agent, int64_t now_ms)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    struct assertion_files *files = agent->assertion_files;
    const struct clock_moment now = clock_moment();

    (void)pthread_mutex_lock(&files->lock);
    for (struct assertion_file *file = files->first; file != NULL; file = file->next) {
        follow_clock(file, now.lead_s);
        if (file->ends_s != 0 && file->ends_s <= now.now_s) {
            remove_file(file);
            file->due_ms = 0;
        }
        if (!file->is_pending && !files->is_ending && now_ms >= file->due_ms) {
            renew(agent, world, file);
        }
    }
    (void)pthread_mutex_unlock(&files->lock);
}

static bool is_for(const struct assertion_file *file, const struct grant *grant)
{
    return grant->assertion_file != NULL && shared_file_is(&file->shared, grant->assertion_file, grant) &&
           str_equal(file->profile, grant->profile);
}

static bool is_wanted(const struct assertion_file *file, const struct agent_config *config)
{
    for (size_t i = 0; i < config->n_grants; i++) {
        if (is_for(file, &config->grants[i])) {
            return true;
        }
    }
    return false;
}

static bool is_listed(const struct assertion_files *files, const struct grant *grant)
{
    for (const struct assertion_file *file = files->first; file != NULL; file = file->next) {
        if (!file->is_dropped && is_for(file, grant)) {
            return true;
        }
    }
    return false;
}

static enum keystay_status add(
    struct assertion_files *files, const struct grant *grant, struct keystay_error *err)
{
    CLEANUP(file_freep) struct assertion_file *file = calloc(1, sizeof(*file));
    struct keystay_error error;

    if (file == NULL) {
        return err_no_memory(err);
    }
    file->all = files;
    TRY(shared_file_init(&file->shared, grant->assertion_file, grant, err));
    file->profile = strdup(grant->profile);
    if (file->profile == NULL) {
        return err_no_memory(err);
    }
    if (shared_file_is_on_disk(&file->shared)) {
        log_warning(
            files->log, "%s is not on a tmpfs: a token for all scopes of the client gets onto a disk",
            file->shared.path);
    }
    if (folder_check(file->shared.path, &error) != KEYSTAY_OK) {
        log_warning(files->log, "%s: %s", file->shared.path, error.message);
    }
    file->next = files->first;
    files->first = take_ptr(&file);
    return KEYSTAY_OK;
}

/* One that a job is at goes when that is done. */
static void drop_unwanted(struct assertion_files *files, const struct agent_config *config)
{
    struct assertion_file *next = NULL;

    for (struct assertion_file *file = files->first; file != NULL; file = next) {
        next = file->next;
        file->due_ms = 0;
        file->is_stale = true;
        if (!file->is_dropped && !is_wanted(file, config)) {
            remove_file(file);
            file->is_dropped = true;
        }
        if (file->is_dropped && !file->is_pending) {
            unlist(file);
        }
    }
}

enum keystay_status assertion_files_refresh(struct agent *agent, struct keystay_error *err)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    struct assertion_files *files = agent->assertion_files;
    enum keystay_status status = KEYSTAY_OK;

    (void)pthread_mutex_lock(&files->lock);
    drop_unwanted(files, world->config);
    for (size_t i = 0; i < world->config->n_grants && status == KEYSTAY_OK; i++) {
        const struct grant *grant = &world->config->grants[i];

        if (grant->assertion_file != NULL && !is_listed(files, grant)) {
            status = add(files, grant, err);
        }
    }
    (void)pthread_mutex_unlock(&files->lock);
    return status;
}
