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
static unsigned int n_idle;

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

static void note_busy(void)
{
    (void)pthread_mutex_lock(&lock);
    if (--n_idle == 0) {
        add_worker();
    }
    (void)pthread_mutex_unlock(&lock);
}

static void note_idle(void)
{
    (void)pthread_mutex_lock(&lock);
    n_idle++;
    (void)pthread_mutex_unlock(&lock);
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
    struct frame *request = NULL;

    while (channel_receive(channel, 0, CHANNEL_NO_DEADLINE, &request) == CHANNEL_OK) {
        note_busy();
        handle(request);
        frame_freep(&request);
        note_idle();
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
    n_workers = 1;
    n_idle = 1;
    work_on();
}
