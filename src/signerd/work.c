/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* POLLRDHUP */

#include "signerd/work.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "pkcs11/isolated/message.h"
#include "signerd/serve.h"

enum { SLOW_AFTER_MS = 500, TICK_MS = 100, TICKS_BEFORE_SLEEP = 20 };

#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

/* One worker's. The watcher reads it, without a lock: a stale look costs a tick. */
struct desk {
    _Atomic(const char *) call; /* static text; NULL: in none */
    _Atomic int64_t entered_at_ms;
    _Atomic uint32_t exchange; /* 0: idle */
    atomic_bool is_told;       /* of this call */
};

static struct channel *channel;
static int channel_fd;
static int wake_fds[2] = { -1, -1 };
static struct desk desks[SERVE_WORKERS_MAX];
static atomic_uint n_desks;
static atomic_uint n_busy;
static atomic_bool is_asleep; /* the watcher waits for a byte */
static _Thread_local struct desk *my_desk;

static const char *my_call(void)
{
    const char *call = my_desk == NULL ? NULL : atomic_load(&my_desk->call);

    return call == NULL ? "" : call;
}

/* Only what a signal handler may do: the frame is put together by hand. */
static void send_last_word(void)
{
    uint8_t frame[FRAME_HEAD_SIZE + 4 + MESSAGE_CALL_MAX] = { 0 };
    const char *call = my_call();
    size_t len = strnlen(call, MESSAGE_CALL_MAX);

    if (my_desk == NULL || atomic_load(&my_desk->exchange) == 0) {
        return;
    }
    frame_put_head(FRAME_FATAL, atomic_load(&my_desk->exchange), frame);
    frame[FRAME_HEAD_SIZE + 3] = (uint8_t)len;
    memcpy(frame + FRAME_HEAD_SIZE + 4, call, len);
    (void)send(channel_fd, frame, FRAME_HEAD_SIZE + 4 + len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void on_fault(int signal_number)
{
    send_last_word();
    (void)raise(signal_number);
}

/* A module that forks keeps our socket open otherwise, and nobody would see us end. */
static void in_forked_child(void)
{
    (void)close(channel_fd);
}

void work_init(struct channel *of, int fd)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
    const struct sigaction action = { .sa_handler = on_fault, .sa_flags = (int)SA_RESETHAND | SA_NODEFER };

    channel = of;
    channel_fd = fd;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        (void)sigaction(faults[i], &action, NULL);
    }
    (void)atexit(send_last_word);
    (void)pthread_atfork(NULL, NULL, in_forked_child);
    if (pipe(wake_fds) == 0) {
        (void)fcntl(wake_fds[0], F_SETFD, FD_CLOEXEC);
        (void)fcntl(wake_fds[1], F_SETFD, FD_CLOEXEC);
    }
}

void work_begin(uint32_t exchange)
{
    if (my_desk == NULL) {
        my_desk = &desks[atomic_fetch_add(&n_desks, 1)];
    }
    atomic_store(&my_desk->exchange, exchange);
    atomic_fetch_add(&n_busy, 1);
    if (atomic_exchange(&is_asleep, false)) {
        (void)!write(wake_fds[1], "", 1);
    }
}

void work_end(void)
{
    atomic_store(&my_desk->exchange, 0);
    atomic_fetch_sub(&n_busy, 1);
}

static __attribute__((noreturn)) void leave(void)
{
    _exit(EXIT_SUCCESS); /* neither the module's exit handlers nor ours: some would hang */
}

void work_send(enum frame_type type, const struct buf *body)
{
    uint32_t exchange = my_desk == NULL ? 0 : atomic_load(&my_desk->exchange);

    if (exchange != 0 &&
        channel_send(channel, type, exchange, buf_slice(body), CHANNEL_NO_DEADLINE) != CHANNEL_OK) {
        leave();
    }
}

void work_receive(struct frame **ret_frame)
{
    if (channel_receive(channel, atomic_load(&my_desk->exchange), CHANNEL_NO_DEADLINE, ret_frame) !=
        CHANNEL_OK) {
        leave();
    }
}

static void log_line(void *context, enum keystay_log_level level, const char *text)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);

    (void)context;
    log_encode(level, text, &body);
    work_send(FRAME_LOG, &body);
}

const struct keystay_log work_log = { .line = log_line };

static void enter(void *context, const char *call)
{
    (void)context;
    if (my_desk != NULL) {
        atomic_store(&my_desk->entered_at_ms, clock_monotonic_ms());
        atomic_store(&my_desk->is_told, false);
        atomic_store(&my_desk->call, call);
    }
}

static void left(void *context)
{
    (void)context;
    if (my_desk != NULL) {
        atomic_store(&my_desk->call, (const char *)NULL);
    }
}

const struct keystay_call_watch work_watch = { .enter = enter, .leave = left };

static void look_at(struct desk *desk, int64_t now_ms)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    const char *call = atomic_load(&desk->call);
    uint32_t exchange = atomic_load(&desk->exchange);

    if (exchange == 0 || call == NULL || now_ms - atomic_load(&desk->entered_at_ms) < SLOW_AFTER_MS ||
        atomic_exchange(&desk->is_told, true)) {
        return;
    }
    call_encode(call, &body);
    (void)channel_send(channel, FRAME_SLOW, exchange, buf_slice(&body), now_ms + TICK_MS);
}

/* How long the watcher may look away. */
static int next_look_ms(void)
{
    static int n_quiet;

    n_quiet = atomic_load(&n_busy) > 0 ? 0 : n_quiet + 1;
    if (n_quiet < TICKS_BEFORE_SLEEP) {
        return TICK_MS;
    }
    atomic_store(&is_asleep, true);
    return atomic_load(&n_busy) > 0 ? TICK_MS : -1; /* one that began between the two has not seen it */
}

void *work_watch_over(void *unused)
{
    struct pollfd sources[] = { { .fd = channel_fd, .events = POLLRDHUP },
                                { .fd = wake_fds[0], .events = POLLIN } };
    char byte = 0;

    (void)unused;
    for (;;) {
        (void)poll(sources, ARRAY_LEN(sources), next_look_ms());
        if (sources[0].revents != 0) {
            leave();
        }
        if (sources[1].revents != 0) {
            (void)!read(wake_fds[0], &byte, 1);
        }
        int64_t now_ms = clock_monotonic_ms();
        for (unsigned int i = 0; i < atomic_load(&n_desks) && i < SERVE_WORKERS_MAX; i++) {
            look_at(&desks[i], now_ms);
        }
    }
    return NULL;
}
