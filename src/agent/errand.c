/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/errand.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "agent/reply.h"
#include "base/clock.h"
#include "base/error.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over the list, and the requests in it */
static struct errand *first;
static unsigned int n_listed;

static void list(struct errand *errand)
{
    errand->next = first;
    first = errand;
    n_listed++;
}

static void unlist(const struct errand *errand)
{
    struct errand **at = &first;

    while (*at != errand) {
        at = &(*at)->next;
    }
    *at = errand->next;
    n_listed--;
}

static void errand_free(struct errand *errand)
{
    world_freep(&errand->world);
    secret_clear(&errand->pin);
    free(errand);
}

static void answer(
    const struct errand *errand, struct request *request, enum keystay_status status,
    const struct keystay_error *error)
{
    CLEANUP(buf_clear) struct buf body = BUF(ERRAND_ANSWER_SIZE);

    if (request == NULL) {
        if (status != KEYSTAY_OK) {
            log_warning(errand->agent->log, "%s", error->message);
        }
    } else if (status == KEYSTAY_OK) {
        (void)buf_puts(&body, errand->said[0] == '\0' ? "{}" : errand->said, NULL);
        reply_json(request, 200, &body);
    } else {
        reply_error(request, DIALECT_NATIVE, error);
    }
}

static void *run(void *context)
{
    struct errand *errand = context;
    struct keystay_error error = { 0 };
    enum keystay_status status = errand->work(errand, &error);

    (void)pthread_mutex_lock(&lock);
    struct request *request = take_ptr(&errand->request);
    (void)pthread_mutex_unlock(&lock);
    answer(errand, request, status, &error);
    world_freep(&errand->world); /* the agent's end waits for those in the list */
    (void)pthread_mutex_lock(&lock);
    unlist(errand);
    (void)pthread_mutex_unlock(&lock);
    errand_free(errand);
    return NULL;
}

static bool start_thread(struct errand *errand)
{
    pthread_attr_t detached;
    pthread_t thread;

    (void)pthread_attr_init(&detached);
    (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &detached, run, errand);
    (void)pthread_attr_destroy(&detached);
    return failed == 0;
}

/* Under the lock, so that the thread cannot be done before it is listed. */
static enum keystay_status start(struct errand *errand, struct keystay_error *err)
{
    if (n_listed >= ERRANDS_MAX) {
        return err_set(err, KEYSTAY_E_THROTTLED, "too much is under way already");
    }
    list(errand);
    if (!start_thread(errand)) {
        unlist(errand);
        return err_set(err, KEYSTAY_E_INTERNAL, "no thread can be started");
    }
    return KEYSTAY_OK;
}

/* wanted's content is moved from. NULL when memory is out. */
static struct errand *errand_new(struct errand *wanted)
{
    struct errand *errand = malloc(sizeof(*errand));

    if (errand == NULL) {
        world_freep(&wanted->world);
        secret_clear(&wanted->pin);
        return NULL;
    }
    *errand = *wanted;
    wanted->world = NULL;
    errand->pin = (struct secret){ 0 };
    secret_move(&errand->pin, &wanted->pin);
    errand->deadline_ms = clock_monotonic_ms() + errand->agent->request_ms;
    return errand;
}

void errand_run(struct errand *wanted)
{
    struct errand *errand = errand_new(wanted);
    struct request *request = wanted->request;
    struct keystay_error error = { 0 };

    if (request != NULL) {
        request_wait(request);
    }
    if (errand == NULL) {
        answer(wanted, request, err_no_memory(&error), &error);
        return;
    }
    (void)pthread_mutex_lock(&lock);
    enum keystay_status status = start(errand, &error);
    (void)pthread_mutex_unlock(&lock);
    if (status != KEYSTAY_OK) {
        errand_free(errand);
        answer(wanted, request, status, &error);
    }
}

static void answer_late(int64_t now_ms, enum keystay_status why, const char *words)
{
    struct keystay_error error = { 0 };

    (void)err_set(&error, why, "%s", words);
    (void)pthread_mutex_lock(&lock);
    for (struct errand *errand = first; errand != NULL; errand = errand->next) {
        if (errand->request != NULL && errand->deadline_ms <= now_ms) {
            answer(errand, take_ptr(&errand->request), why, &error); /* that waits for nothing */
        }
    }
    (void)pthread_mutex_unlock(&lock);
}

void errands_tick(int64_t now_ms)
{
    answer_late(now_ms, KEYSTAY_E_TIMEOUT, "it takes longer than request_timeout, and goes on");
}

bool errands_end(int64_t deadline_ms)
{
    static const struct timespec moment = { .tv_nsec = 5000000 };
    unsigned int n = 0;

    answer_late(INT64_MAX, KEYSTAY_E_SERVER_DOWN, "the agent is ending");
    for (;;) {
        (void)pthread_mutex_lock(&lock);
        n = n_listed;
        (void)pthread_mutex_unlock(&lock);
        if (n == 0 || clock_monotonic_ms() >= deadline_ms) {
            return n == 0;
        }
        (void)nanosleep(&moment, NULL);
    }
}
