/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads are started when there is more work than threads that are idle, and stay. A job is queued, then it
 * runs, and is listed until its waiters are answered; a wish that equals that of a job in a list joins it.
 * Which one is next is the queue's business (agent/job_queue.h).
 */
#include "agent/jobs.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "agent/job_queue.h"
#include "agent/journal.h"
#include "base/clock.h"
#include "base/error.h"
#include "oauth/access_token.h"

struct jobs {
    job_answer answer;
    void *context;
    const struct keystay_log *log;
    pthread_mutex_t lock; /* over all below */
    pthread_cond_t is_more;
    pthread_cond_t is_less;
    struct job_queue queue;
    unsigned int n_threads;
    unsigned int n_idle;
    bool is_ending;
};

enum keystay_status jobs_new(
    job_answer answer, void *context, const struct keystay_log *log, struct jobs **ret_jobs,
    struct keystay_error *err)
{
    struct jobs *jobs = calloc(1, sizeof(*jobs));
    pthread_condattr_t monotonic;

    if (jobs == NULL) {
        return err_no_memory(err);
    }
    jobs->answer = answer;
    jobs->context = context;
    jobs->log = log;
    (void)pthread_mutex_init(&jobs->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&jobs->is_more, &monotonic);
    (void)pthread_cond_init(&jobs->is_less, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    *ret_jobs = jobs;
    return KEYSTAY_OK;
}

static void answer_all(struct jobs *jobs, struct waiter *waiter, const struct outcome *outcome)
{
    while (waiter != NULL) {
        struct waiter *next = waiter->next;

        if (waiter->request != NULL) {
            jobs->answer(jobs->context, waiter->request, outcome);
        } else {
            waiter->done(waiter->context, outcome);
        }
        free(waiter);
        waiter = next;
    }
}

/* NULL: it was for the agent itself alone, where it is told of. */
static const char *what_failed(const struct job *job, const struct waiter *waiters)
{
    if (waiters == NULL) {
        return job->is_for_callers ? "no token, and nobody waits for it any more" : "no token ahead of need";
    }
    for (const struct waiter *waiter = waiters; waiter != NULL; waiter = waiter->next) {
        if (waiter->request != NULL) {
            return job->wish.is_assertion ? "no assertion" : "no token";
        }
    }
    return NULL;
}

/* Under the lock, which is let go of meanwhile. */
static void run(struct jobs *jobs, struct job *job)
{
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    struct outcome outcome = { .is_new = true, .holder = job->holder, .wish = &job->wish };

    (void)pthread_mutex_unlock(&jobs->lock);
    outcome.status = holder_get(job->holder, &job->wish, &token, &outcome.error);
    outcome.token = token;
    (void)pthread_mutex_lock(&jobs->lock);
    job_queue_end(&jobs->queue, job);
    struct waiter *waiters = take_ptr(&job->waiters);
    (void)pthread_cond_broadcast(&jobs->is_more); /* one that a cap kept back */
    (void)pthread_mutex_unlock(&jobs->lock);
    const char *what = outcome.status == KEYSTAY_OK ? NULL : what_failed(job, waiters);
    if (what != NULL) {
        journal_failure(jobs->log, holder_name(job->holder), what, &outcome.error);
    }
    answer_all(jobs, waiters, &outcome);
    job_free(job);
    (void)pthread_mutex_lock(&jobs->lock);
}

/* Under the lock, which is let go of meanwhile: a holder's last user may have to end its signer. */
static void drop(struct jobs *jobs, struct job *job)
{
    job_queue_end(&jobs->queue, job);
    (void)pthread_mutex_unlock(&jobs->lock);
    job_free(job);
    (void)pthread_mutex_lock(&jobs->lock);
}

static void *work(void *context)
{
    struct jobs *jobs = context;

    (void)pthread_mutex_lock(&jobs->lock);
    while (!jobs->is_ending) {
        struct job *job = job_queue_next(&jobs->queue);

        if (job != NULL) {
            (job_is_unwanted(job) ? drop : run)(jobs, job);
        } else {
            jobs->n_idle++;
            (void)pthread_cond_wait(&jobs->is_more, &jobs->lock);
            jobs->n_idle--;
        }
    }
    jobs->n_threads--;
    (void)pthread_cond_broadcast(&jobs->is_less);
    (void)pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

/*
 * Under the lock. Without any thread nothing would ever be done. An idle thread that was woken counts as idle
 * until it runs, so what is compared is how many there are with how much they have to do.
 */
static bool see_to_threads(struct jobs *jobs)
{
    pthread_attr_t detached;
    pthread_t thread;

    (void)pthread_cond_signal(&jobs->is_more);
    if (job_queue_count_ready(&jobs->queue, (size_t)jobs->n_idle + 1) <= jobs->n_idle ||
        jobs->n_threads >= JOBS_THREADS_MAX) {
        return true;
    }
    (void)pthread_attr_init(&detached);
    (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &detached, work, jobs) == 0) {
        jobs->n_threads++;
    }
    (void)pthread_attr_destroy(&detached);
    return jobs->n_threads > 0;
}

/* Under the lock. waiter is kept, unless it fails. */
static enum keystay_status add(
    struct jobs *jobs, struct holder *holder, const struct wish *wish, struct waiter *waiter,
    struct keystay_error *err)
{
    struct job *job = job_queue_find(&jobs->queue, holder, wish);
    const bool is_new = job == NULL;

    if (jobs->is_ending) {
        return err_set(err, KEYSTAY_E_SERVER_DOWN, "the agent is ending");
    }
    if (is_new) {
        TRY(job_queue_add(&jobs->queue, holder, wish, waiter == NULL ? JOB_NOBODYS : waiter->uid, &job, err));
    }
    if (waiter != NULL) {
        waiter->next = job->waiters;
        job->waiters = waiter;
        job->is_for_callers = true;
    }
    /* Also for one that is there already: a cap may have kept it from those who waited for it before. */
    if (!see_to_threads(jobs) && is_new) {
        job->waiters = NULL;
        job_queue_remove(&jobs->queue, job);
        return err_set(err, KEYSTAY_E_INTERNAL, "no thread can be started");
    }
    return KEYSTAY_OK;
}

static enum keystay_status add_with_waiter(
    struct jobs *jobs, struct holder *holder, const struct wish *wish, const struct waiter *who,
    struct keystay_error *err)
{
    struct waiter *waiter = malloc(sizeof(*waiter));

    if (waiter == NULL) {
        return err_no_memory(err);
    }
    *waiter = *who;
    (void)pthread_mutex_lock(&jobs->lock);
    enum keystay_status status = add(jobs, holder, wish, waiter, err);
    (void)pthread_mutex_unlock(&jobs->lock);
    if (status != KEYSTAY_OK) {
        free(waiter);
    }
    return status;
}

enum keystay_status jobs_add(
    struct jobs *jobs, struct holder *holder, const struct wish *wish, struct request *request,
    int64_t deadline_ms, struct keystay_error *err)
{
    if (request != NULL) {
        const struct waiter who = { .request = request,
                                    .uid = request_peer(request)->uid,
                                    .deadline_ms = deadline_ms };

        return add_with_waiter(jobs, holder, wish, &who, err);
    }
    (void)pthread_mutex_lock(&jobs->lock);
    enum keystay_status status = add(jobs, holder, wish, NULL, err);
    (void)pthread_mutex_unlock(&jobs->lock);
    return status;
}

enum keystay_status jobs_add_own(
    struct jobs *jobs, struct holder *holder, const struct wish *wish, job_done done, void *context,
    struct keystay_error *err)
{
    const struct waiter who = {
        .uid = geteuid(), .done = done, .context = context, .deadline_ms = INT64_MAX
    };

    return add_with_waiter(jobs, holder, wish, &who, err);
}

/* Under the lock: moves those whose deadline is over from a list of jobs to one of their own. */
static void take_late(const struct job_list *list, int64_t now_ms, struct waiter **late)
{
    for (struct job *job = list->first; job != NULL; job = job->next) {
        struct waiter **at = &job->waiters;

        while (*at != NULL) {
            struct waiter *waiter = *at;

            if (waiter->deadline_ms <= now_ms) {
                *at = waiter->next;
                waiter->next = *late;
                *late = waiter;
            } else {
                at = &waiter->next;
            }
        }
    }
}

static void answer_late(struct jobs *jobs, int64_t now_ms, enum keystay_status why, const char *words)
{
    struct outcome outcome = { .status = why };
    struct waiter *late = NULL;

    (void)err_set(&outcome.error, why, "%s", words);
    (void)pthread_mutex_lock(&jobs->lock);
    take_late(&jobs->queue.running, now_ms, &late);
    take_late(&jobs->queue.queued, now_ms, &late);
    if (late != NULL) {
        (void)see_to_threads(jobs); /* what is not wanted any more is dropped, also when all threads hang */
    }
    (void)pthread_mutex_unlock(&jobs->lock);
    answer_all(jobs, late, &outcome);
}

void jobs_tick(struct jobs *jobs, int64_t now_ms)
{
    answer_late(jobs, now_ms, KEYSTAY_E_TIMEOUT, "there was no token within request_timeout");
}

bool jobs_end(struct jobs *jobs, int64_t deadline_ms)
{
    const struct timespec until = { deadline_ms / 1000, (long)(deadline_ms % 1000) * 1000000 };

    (void)pthread_mutex_lock(&jobs->lock);
    jobs->is_ending = true;
    (void)pthread_cond_broadcast(&jobs->is_more);
    (void)pthread_mutex_unlock(&jobs->lock);
    answer_late(jobs, INT64_MAX, KEYSTAY_E_SERVER_DOWN, "the agent is ending");
    (void)pthread_mutex_lock(&jobs->lock);
    while (jobs->n_threads > 0 && pthread_cond_timedwait(&jobs->is_less, &jobs->lock, &until) == 0) {
    }
    bool is_done = jobs->n_threads == 0;
    (void)pthread_mutex_unlock(&jobs->lock);
    return is_done;
}

void jobs_freep(struct jobs **jobs_at)
{
    struct jobs *jobs = take_ptr(jobs_at);

    if (jobs != NULL) {
        while (jobs->queue.queued.first != NULL) {
            job_queue_remove(&jobs->queue, jobs->queue.queued.first);
        }
        (void)pthread_cond_destroy(&jobs->is_more);
        (void)pthread_cond_destroy(&jobs->is_less);
        (void)pthread_mutex_destroy(&jobs->lock);
        free(jobs);
    }
}
