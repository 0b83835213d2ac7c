/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/job_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

void job_free(struct job *job)
{
    free(drop_const(job->wish.scope));
    free(drop_const(job->wish.resource));
    free(drop_const(job->wish.claims));
    holder_freep(&job->holder);
    free(job);
}

static bool copy_text(const char *text, const char **ret_copy)
{
    *ret_copy = text == NULL ? NULL : strdup(text);
    return text == NULL || *ret_copy != NULL;
}

static struct job *job_new(struct holder *holder, const struct wish *wish)
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        return NULL;
    }
    job->holder = holder_share(holder);
    job->wish = *wish;
    job->wish.scope = job->wish.resource = job->wish.claims = NULL;
    if (copy_text(wish->scope, &job->wish.scope) && copy_text(wish->resource, &job->wish.resource) &&
        copy_text(wish->claims, &job->wish.claims)) {
        return job;
    }
    job_free(job);
    return NULL;
}

bool job_is_unwanted(const struct job *job)
{
    return job->is_for_callers && job->waiters == NULL;
}

static struct job *find_in(const struct job_list *list, const struct holder *holder, const struct wish *wish)
{
    for (struct job *job = list->first; job != NULL; job = job->next) {
        if (job->holder == holder && wish_equal(&job->wish, wish)) {
            return job;
        }
    }
    return NULL;
}

struct job *job_queue_find(
    const struct job_queue *queue, const struct holder *holder, const struct wish *wish)
{
    struct job *job = wish->is_assertion ? NULL : find_in(&queue->running, holder, wish);

    return job != NULL || wish->is_assertion ? job : find_in(&queue->queued, holder, wish);
}

static void append(struct job_list *list, struct job *job)
{
    struct job **last = &list->first;

    while (*last != NULL) {
        last = &(*last)->next;
    }
    job->next = NULL;
    *last = job;
    list->n++;
}

static void take_out(struct job_list *list, struct job *job)
{
    struct job **at = &list->first;

    while (*at != job) {
        at = &(*at)->next;
    }
    *at = job->next;
    list->n--;
}

/* How much of a list is a holder's, how much a user's, and how much both. */
struct share {
    size_t of_holder;
    size_t of_user;
    size_t of_both;
};

static struct share share_of(const struct job_list *list, const struct holder *holder, uid_t uid)
{
    struct share share = { 0 };

    for (const struct job *job = list->first; job != NULL; job = job->next) {
        share.of_holder += job->holder == holder;
        share.of_user += job->uid == uid;
        share.of_both += job->holder == holder && job->uid == uid;
    }
    return share;
}

enum keystay_status job_queue_add(
    struct job_queue *queue, struct holder *holder, const struct wish *wish, uid_t uid, struct job **ret_job,
    struct keystay_error *err)
{
    const struct share share = share_of(&queue->queued, holder, uid);

    if (share.of_user >= JOBS_QUEUED_OF_ONE_USER_MAX) {
        return err_set(err, KEYSTAY_E_THROTTLED, "too many requests of this user wait for a token already");
    }
    if (queue->queued.n >= JOBS_QUEUED_MAX || share.of_holder >= JOBS_QUEUED_OF_ONE_HOLDER_MAX) {
        return err_set(err, KEYSTAY_E_THROTTLED, "too many requests wait for a token already");
    }
    struct job *job = job_new(holder, wish);
    if (job == NULL) {
        return err_no_memory(err);
    }
    job->uid = uid;
    append(&queue->queued, job);
    *ret_job = job;
    return KEYSTAY_OK;
}

void job_queue_remove(struct job_queue *queue, struct job *job)
{
    take_out(&queue->queued, job);
    job_free(job);
}

/* A job that may be begun, for whom, and how many of the same holder run for that user. */
struct turn {
    struct job *job; /* NULL: there is none */
    uid_t uid;
    size_t n_running;
};

/* Takes the turn from the one that has it if the user has fewer. */
static void claim(const struct job_queue *queue, struct job *job, uid_t uid, struct turn *turn)
{
    const struct share running = share_of(&queue->running, job->holder, uid);

    if (running.of_holder < JOBS_OF_ONE_HOLDER_MAX && running.of_user < JOBS_OF_ONE_USER_MAX &&
        running.of_both < JOBS_OF_ONE_USER_THERE_MAX &&
        (turn->job == NULL || running.of_both < turn->n_running)) {
        *turn = (struct turn){ job, uid, running.of_both };
    }
}

static void claim_for_all(const struct job_queue *queue, struct job *job, struct turn *turn)
{
    if (job->waiters == NULL) {
        claim(queue, job, job->uid, turn);
    }
    for (const struct waiter *waiter = job->waiters; waiter != NULL; waiter = waiter->next) {
        claim(queue, job, waiter->uid, turn);
    }
}

struct job *job_queue_next(struct job_queue *queue)
{
    struct turn turn = { 0 };

    for (struct job *job = queue->queued.first; job != NULL && (turn.job == NULL || turn.n_running > 0);
         job = job->next) {
        if (job_is_unwanted(job)) {
            turn = (struct turn){ job, job->uid, 0 };
        } else {
            claim_for_all(queue, job, &turn);
        }
    }
    if (turn.job != NULL) {
        take_out(&queue->queued, turn.job);
        turn.job->uid = turn.uid;
        append(&queue->running, turn.job);
    }
    return turn.job;
}

void job_queue_end(struct job_queue *queue, struct job *job)
{
    take_out(&queue->running, job);
}

size_t job_queue_count_ready(const struct job_queue *queue, size_t max)
{
    size_t n = 0;

    for (struct job *job = queue->queued.first; job != NULL && n < max; job = job->next) {
        struct turn turn = { 0 };

        claim_for_all(queue, job, &turn);
        n += turn.job != NULL || job_is_unwanted(job);
    }
    return n;
}
