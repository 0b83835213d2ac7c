/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_JOB_QUEUE_H
#define AGENT_JOB_QUEUE_H

/*
 * Jobs that wait for a thread, those that run, and whose turn it is. One user may want ever other things, so
 * turns go by user: next is the job of somebody for whom the fewest jobs of that holder run, and of those the
 * oldest. However much one user wants, another's job waits for one of that user's to end at the longest, and
 * mostly for none, since a user may have some of the threads only.
 *
 * A job that several wait for is begun for the one of them whose turn comes first: whoever wants what a user
 * with a long queue wants too does not wait in that queue. Lists only: whoever calls has a lock.
 */

#include <sys/types.h>

#include "agent/jobs.h"

enum {
    /* Run at once. */
    JOBS_OF_ONE_HOLDER_MAX = 8,     /* one token that hangs must not take all threads */
    JOBS_OF_ONE_USER_MAX = 48,      /* nor must one user, by way of many holders */
    JOBS_OF_ONE_USER_THERE_MAX = 6, /* nor all those of one holder */
    /* Wait. */
    JOBS_QUEUED_MAX = 4096,
    JOBS_QUEUED_OF_ONE_HOLDER_MAX = 1024,
    JOBS_QUEUED_OF_ONE_USER_MAX = 512,
};

/* What nobody waits for counts as a user of its own: no caller has that number. */
#define JOB_NOBODYS ((uid_t)-1)

struct waiter {
    struct waiter *next;
    uid_t uid;
    struct request *request; /* NULL: done is called instead */
    job_done done;
    void *context;
    int64_t deadline_ms;
};

struct job {
    struct job *next;
    struct holder *holder; /* shared */
    struct wish wish;      /* its strings are owned */
    struct waiter *waiters;
    bool is_for_callers; /* not a renewal ahead of need */
    uid_t uid;           /* queued: who asked first; running: whose turn it was */
};

struct job_list {
    struct job *first;
    size_t n;
};

struct job_queue {
    struct job_list queued;
    struct job_list running;
};

/* Whoever wanted it was answered that it took too long. */
bool job_is_unwanted(const struct job *job);
void job_free(struct job *job);

/* One that is queued or runs and does for the wish too; NULL: there is none. An assertion is for one caller:
 * two may not share what could be used once. */
struct job *job_queue_find(
    const struct job_queue *queue, const struct holder *holder, const struct wish *wish);

/* Queues a new one for a user. KEYSTAY_E_THROTTLED: too much waits already. *ret_job is the queue's. */
enum keystay_status job_queue_add(
    struct job_queue *queue, struct holder *holder, const struct wish *wish, uid_t uid, struct job **ret_job,
    struct keystay_error *err);

/* Takes one that is queued back, and frees it. */
void job_queue_remove(struct job_queue *queue, struct job *job);

/* The job whose turn it is, which counts as running from now on; NULL: none may run now. One that is unwanted
 * may always: it takes no time. */
struct job *job_queue_next(struct job_queue *queue);

/* One that ran, or was to, is listed no longer; job_free. */
void job_queue_end(struct job_queue *queue, struct job *job);

/* How many of the queued ones may run now, counted up to max. */
size_t job_queue_count_ready(const struct job_queue *queue, size_t max);

#endif
