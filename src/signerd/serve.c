/* SPDX-License-Identifier: Apache-2.0 */
#include "signerd/serve.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "signerd/request.h"
#include "signerd/work.h"

static struct channel *channel;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int n_workers;
static unsigned int n_idle;         /* at the socket */
static struct frame_queue unworked; /* for whoever has finished first */

static void *work(void *unused);

/* With the lock held. Where no thread is to be had, those that are there must do. */
static void add_worker(void)
{
    pthread_t thread;

    if (n_workers < SERVE_WORKERS_MAX && pthread_create(&thread, NULL, work, NULL) == 0) {
        (void)pthread_detach(thread);
        n_workers++;
        n_idle++;
    }
}

/*
 * The request that this worker is to begin with now, of what came at the socket. NULL: none, it is the last
 * one there and must stay, since the others may wait for the program's answers.
 */
static struct frame *begin(struct frame *request)
{
    (void)pthread_mutex_lock(&lock);
    if (n_idle == 1) {
        add_worker();
    }
    if (n_idle > 1) {
        n_idle--;
    } else if (!frame_put(&unworked, take_ptr(&request))) {
        _exit(EXIT_FAILURE);
    }
    (void)pthread_mutex_unlock(&lock);
    return request;
}

/* What has waited for a worker. NULL: nothing, and this one goes back to the socket. */
static struct frame *next(void)
{
    (void)pthread_mutex_lock(&lock);
    struct frame *request = frame_take(&unworked, 0);
    if (request == NULL) {
        n_idle++;
    }
    (void)pthread_mutex_unlock(&lock);
    return request;
}

static void handle(const struct frame *request)
{
    struct buf body = BUF(FRAME_BODY_MAX);
    enum frame_type type = FRAME_FAILED;

    work_begin(request->exchange);
    request_answer(request, &type, &body);
    work_send(type, &body);
    work_end();
    buf_clear(&body);
}

/* A module may end this thread with the process, but never by itself: it has no way back to us. */
static void work_on(void)
{
    struct frame *came = NULL;

    while (channel_accept(channel, &came) == CHANNEL_OK) {
        for (struct frame *request = begin(came); request != NULL; request = next()) {
            handle(request);
            frame_free(request);
        }
    }
}

static void *work(void *unused)
{
    (void)unused;
    work_on();
    _exit(EXIT_SUCCESS);
}

void serve(struct channel *of)
{
    channel = of;
    (void)pthread_mutex_lock(&lock);
    n_workers = 1;
    n_idle = 1;
    add_worker();
    bool has_second = n_workers > 1;
    (void)pthread_mutex_unlock(&lock);
    if (has_second) {
        work_on();
    }
}
