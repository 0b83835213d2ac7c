/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/errand.h"

#include <pthread.h>
#include <stdlib.h>

#include "agent/reply.h"
#include "base/error.h"

struct errand {
    struct agent *agent;
    struct request *request;
    errand_work work;
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t is_less = PTHREAD_COND_INITIALIZER;
static unsigned int n_pending;

static void count(int change)
{
    (void)pthread_mutex_lock(&count_lock);
    n_pending += (unsigned int)change;
    (void)pthread_cond_broadcast(&is_less);
    (void)pthread_mutex_unlock(&count_lock);
}

static void answer(struct request *request, enum keystay_status status, const struct keystay_error *error)
{
    CLEANUP(buf_clear) struct buf body = BUF(sizeof("{}"));

    if (status == KEYSTAY_OK) {
        (void)buf_puts(&body, "{}", NULL);
        reply_json(request, 200, &body);
    } else {
        reply_error(request, DIALECT_NATIVE, error);
    }
}

static void *run(void *context)
{
    struct errand *errand = context;
    struct keystay_error error = { 0 };

    (void)pthread_mutex_lock(&one_at_a_time);
    enum keystay_status status = errand->work(errand->agent, errand->request, &error);
    answer(errand->request, status, &error);
    (void)pthread_mutex_unlock(&one_at_a_time);
    free(errand);
    count(-1);
    return NULL;
}

static bool start(struct errand *errand)
{
    pthread_attr_t detached;
    pthread_t thread;

    (void)pthread_attr_init(&detached);
    (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &detached, run, errand);
    (void)pthread_attr_destroy(&detached);
    return failed == 0;
}

void errand_run(struct agent *agent, struct request *request, errand_work work)
{
    struct errand *errand = calloc(1, sizeof(*errand));
    struct keystay_error error;

    request_wait(request);
    if (errand != NULL) {
        *errand = (struct errand){ agent, request, work };
        count(1);
        if (start(errand)) {
            return;
        }
        count(-1);
    }
    free(errand);
    answer(request, err_no_memory(&error), &error);
}

void errand_wait_for_all(void)
{
    (void)pthread_mutex_lock(&count_lock);
    while (n_pending > 0) {
        (void)pthread_cond_wait(&is_less, &count_lock);
    }
    (void)pthread_mutex_unlock(&count_lock);
}
