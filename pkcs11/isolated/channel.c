/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/isolated/channel.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/wipe.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* there the program must ignore SIGPIPE, as keystay/pkcs11.h asks */
#endif

/* A thread in channel_receive. */
struct waiter {
    struct waiter *next;
    uint32_t wanted;
    bool is_woken; /* a frame is there for it, or the reader's place */
    pthread_cond_t wake;
};

struct channel {
    int fd;
    pthread_mutex_t lock; /* over what follows */
    struct frame_queue queue;
    struct waiter *waiters;
    bool has_reader; /* one of those who wait, or who accept, is at the socket, without the lock */
    bool is_gone;
};

struct channel *channel_new(int fd)
{
    struct channel *channel = calloc(1, sizeof(*channel));

    if (channel == NULL) {
        file_closep(&fd);
        return NULL;
    }
    channel->fd = fd;
    (void)pthread_mutex_init(&channel->lock, NULL);
    return channel;
}

/* With the lock held. */
static void wake(struct waiter *waiter)
{
    if (waiter != NULL) {
        waiter->is_woken = true;
        (void)pthread_cond_signal(&waiter->wake);
    }
}

/* With the lock held. */
static void end(struct channel *channel)
{
    channel->is_gone = true;
    (void)shutdown(channel->fd, SHUT_RDWR);
    for (struct waiter *waiter = channel->waiters; waiter != NULL; waiter = waiter->next) {
        wake(waiter);
    }
}

void channel_shut(struct channel *channel)
{
    (void)pthread_mutex_lock(&channel->lock);
    end(channel);
    (void)pthread_mutex_unlock(&channel->lock);
}

void channel_free(struct channel *channel)
{
    if (channel == NULL) {
        return;
    }
    file_closep(&channel->fd);
    frame_queue_clear(&channel->queue);
    (void)pthread_mutex_destroy(&channel->lock);
    free(channel);
}

static int ms_until(int64_t deadline_ms)
{
    int64_t left_ms = deadline_ms - clock_monotonic_ms();

    if (deadline_ms == CHANNEL_NO_DEADLINE) {
        return -1;
    }
    return left_ms < 0 ? 0 : (left_ms > INT_MAX ? INT_MAX : (int)left_ms);
}

/* CHANNEL_OK: the socket is ready, or broken, which the call that follows will say. */
static enum channel_result wait_ready(const struct channel *channel, short events, int64_t deadline_ms)
{
    for (;;) {
        struct pollfd ready = { .fd = channel->fd, .events = events };
        int n = poll(&ready, 1, ms_until(deadline_ms));

        if (n > 0) {
            return CHANNEL_OK;
        }
        if (n == 0) {
            return CHANNEL_LATE;
        }
        if (errno != EINTR) {
            return CHANNEL_GONE;
        }
    }
}

enum channel_result channel_send(
    struct channel *channel, enum frame_type type, uint32_t exchange, struct slice body, int64_t deadline_ms)
{
    static uint8_t none;
    uint8_t head[FRAME_HEAD_SIZE];
    struct iovec parts[2] = { { head, sizeof(head) },
                              { body.data == NULL ? &none : drop_const(body.data), body.len } };
    const struct msghdr message = { .msg_iov = parts, .msg_iovlen = ARRAY_LEN(parts) };
    enum channel_result result = CHANNEL_OK;

    frame_put_head(type, exchange, head);
    while (result == CHANNEL_OK && sendmsg(channel->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            result = wait_ready(channel, POLLOUT, deadline_ms);
        } else if (errno != EINTR) {
            result = CHANNEL_GONE;
        }
    }
    return result;
}

/* One message, without the lock. *ret_frame is NULL when another took it, or a signal came. */
static enum channel_result read_frame(const struct channel *channel, int flags, struct frame **ret_frame)
{
    uint8_t bytes[FRAME_HEAD_SIZE + FRAME_BODY_MAX + 1]; /* one more, so that what is too long is seen */
    ssize_t n = recv(channel->fd, bytes, sizeof(bytes), flags);

    if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) {
        *ret_frame = NULL;
        return CHANNEL_OK;
    }
    if (n <= 0) {
        return CHANNEL_GONE;
    }
    *ret_frame = frame_parse((struct slice){ bytes, (size_t)n });
    wipe(bytes, (size_t)n);
    return *ret_frame != NULL ? CHANNEL_OK : CHANNEL_GONE;
}

/* With the lock held: each frame finds one who waits for it and was not woken yet. */
static void wake_receivers(struct channel *channel)
{
    for (const struct frame *frame = channel->queue.first; frame != NULL; frame = frame->next) {
        struct waiter *waiter = channel->waiters;

        while (waiter != NULL && (waiter->is_woken || !frame_is_for(frame, waiter->wanted))) {
            waiter = waiter->next;
        }
        wake(waiter);
    }
}

/* With the lock held: what read_frame brought, which is taken. */
static enum channel_result deliver(struct channel *channel, enum channel_result result, struct frame *frame)
{
    if (frame != NULL && !frame_put(&channel->queue, frame)) {
        result = CHANNEL_GONE;
    }
    if (result == CHANNEL_GONE) {
        end(channel);
    } else if (frame != NULL) {
        wake_receivers(channel);
    }
    return result;
}

/* With the lock held: somebody must be at the socket as long as anybody waits. */
static void hand_on(struct channel *channel, const struct waiter *except)
{
    struct waiter *waiter = channel->waiters;

    while (waiter != NULL && (waiter == except || waiter->is_woken)) {
        waiter = waiter->next;
    }
    wake(waiter);
}

/* With the lock held; false at the deadline. */
static bool sleep_until(struct channel *channel, struct waiter *self, int64_t deadline_ms)
{
    const struct timespec until = { deadline_ms / 1000, (long)(deadline_ms % 1000) * 1000000 };
    int result = 0;

    while (!self->is_woken && result == 0) {
        result = deadline_ms == CHANNEL_NO_DEADLINE
                     ? pthread_cond_wait(&self->wake, &channel->lock)
                     : pthread_cond_timedwait(&self->wake, &channel->lock, &until);
    }
    bool was_woken = self->is_woken;
    self->is_woken = false;
    return was_woken;
}

/* With the lock held, which it gives up while it reads. */
static enum channel_result be_reader(struct channel *channel, struct waiter *self, int64_t deadline_ms)
{
    struct frame *frame = NULL;

    channel->has_reader = true;
    self->is_woken = true; /* it needs no waking: it looks for its frame when it is back */
    (void)pthread_mutex_unlock(&channel->lock);
    enum channel_result result = wait_ready(channel, POLLIN, deadline_ms);
    if (result == CHANNEL_OK) {
        result = read_frame(channel, MSG_DONTWAIT, &frame);
    }
    (void)pthread_mutex_lock(&channel->lock);
    channel->has_reader = false;
    result = deliver(channel, result, frame);
    self->is_woken = false;
    return result;
}

/* With the lock held. */
static enum channel_result receive_locked(
    struct channel *channel, struct waiter *self, int64_t deadline_ms, struct frame **ret_frame)
{
    for (;;) {
        struct frame *frame = frame_take(&channel->queue, self->wanted);

        if (frame != NULL) {
            *ret_frame = frame;
            return CHANNEL_OK;
        }
        if (channel->is_gone) {
            return CHANNEL_GONE;
        }
        if (!channel->has_reader && be_reader(channel, self, deadline_ms) == CHANNEL_LATE) {
            return CHANNEL_LATE;
        }
        if (channel->has_reader && !sleep_until(channel, self, deadline_ms)) {
            return CHANNEL_LATE;
        }
    }
}

static void leave(struct channel *channel, const struct waiter *self)
{
    struct waiter **at = &channel->waiters;

    while (*at != self) {
        at = &(*at)->next;
    }
    *at = self->next;
    if (!channel->has_reader) {
        hand_on(channel, self);
    }
}

enum channel_result channel_receive(
    struct channel *channel, uint32_t wanted, int64_t deadline_ms, struct frame **ret_frame)
{
    struct waiter self = { .wanted = wanted };
    pthread_condattr_t monotonic;

    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&self.wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_lock(&channel->lock);
    self.next = channel->waiters;
    /* cppcheck-suppress autoVariables ; leave() takes it out again */
    channel->waiters = &self;
    enum channel_result result = receive_locked(channel, &self, deadline_ms, ret_frame);
    leave(channel, &self);
    (void)pthread_mutex_unlock(&channel->lock);
    (void)pthread_cond_destroy(&self.wake);
    return result;
}

enum channel_result channel_accept(struct channel *channel, struct frame **ret_frame)
{
    enum channel_result result = CHANNEL_OK;
    struct frame *frame = NULL;

    (void)pthread_mutex_lock(&channel->lock);
    channel->has_reader = true;
    while (result == CHANNEL_OK && (frame == NULL || !frame_is_for(frame, 0))) {
        result = deliver(channel, result, take_ptr(&frame));
        (void)pthread_mutex_unlock(&channel->lock);
        result = read_frame(channel, 0, &frame);
        (void)pthread_mutex_lock(&channel->lock);
    }
    if (result == CHANNEL_OK) {
        *ret_frame = frame;
    } else {
        end(channel);
    }
    (void)pthread_mutex_unlock(&channel->lock);
    return result;
}
