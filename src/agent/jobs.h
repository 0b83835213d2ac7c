/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_JOBS_H
#define AGENT_JOBS_H

/*
 * What may take long (a token, a server, a person) is done in threads of its own. Callers who want the same
 * wait for one and the same job. How much of all that one user may have: agent/job_queue.h.
 */

#include "agent/holder.h"
#include "httpd/httpd.h"

struct jobs;

enum { JOBS_THREADS_MAX = 64 };

/* What became of a job. */
struct outcome {
    enum keystay_status status;
    struct keystay_error error;  /* where there is no token */
    struct keystay_token *token; /* borrowed until the call returns */
    bool is_new;                 /* it was not there already */
    struct holder *holder;       /* borrowed likewise */
    const struct wish *wish;     /* borrowed likewise; NULL: nothing was tried */
};

/* Answers a request that waited. In the job's thread. */
typedef void (*job_answer)(void *context, struct request *request, const struct outcome *outcome);

enum keystay_status jobs_new(
    job_answer answer, void *context, const struct keystay_log *log, struct jobs **ret_jobs,
    struct keystay_error *err);

/* Takes an outcome that is for the agent itself. In the job's thread, or in whose call the jobs end. */
typedef void (*job_done)(void *context, const struct outcome *outcome);

/*
 * Has a wish fulfilled, and the request, which waits already, answered by the deadline at the latest. request
 * may be NULL: nobody waits. KEYSTAY_E_THROTTLED when there is too much to do; then nobody answers.
 */
enum keystay_status jobs_add(
    struct jobs *jobs, struct holder *holder, const struct wish *wish, struct request *request,
    int64_t deadline_ms, struct keystay_error *err);

/* The same for the agent itself: done is called in the end, however long that takes, and context stays until
 * then. */
enum keystay_status jobs_add_own(
    struct jobs *jobs, struct holder *holder, const struct wish *wish, job_done done, void *context,
    struct keystay_error *err);

/* Answers whoever has waited too long. Work that has begun goes on; what nobody waits for any more is not
 * begun. About once a second. */
void jobs_tick(struct jobs *jobs, int64_t now_ms);

/* Answers all who wait that the agent ends, takes nothing new, and waits for the work in progress until the
 * deadline: false when some is left, and then jobs must not be freed. */
bool jobs_end(struct jobs *jobs, int64_t deadline_ms);
void jobs_freep(struct jobs **jobs);

#endif
