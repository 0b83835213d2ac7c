/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_ISOLATED_CHANNEL_H
#define PKCS11_ISOLATED_CHANNEL_H

/*
 * One end of the stream socket between a program and its signer process, shared by many threads: each waits
 * for the frames of its own exchange. There is no thread that reads for the others: one of those who wait
 * does, and the frame that is not its own wakes the one that it is for. So a single caller gets its answer
 * without a detour.
 */

#include "pkcs11/isolated/frame.h"

struct channel;

enum channel_result {
    CHANNEL_OK,
    CHANNEL_LATE, /* nothing came before the deadline */
    CHANNEL_GONE, /* the other end closed it, or sends what is no frame; for good */
};

enum { CHANNEL_NO_DEADLINE = -1 };

/* fd, a connected stream socket, is taken. NULL: out of memory, and fd is closed. */
struct channel *channel_new(int fd);

/* Everybody who waits gets CHANNEL_GONE. */
void channel_shut(struct channel *channel);

/* Nobody may be in it. NULL is fine. */
void channel_free(struct channel *channel);

/* deadline_ms by clock_monotonic_ms, or CHANNEL_NO_DEADLINE. */
enum channel_result channel_send(
    struct channel *channel, enum frame_type type, uint32_t exchange, struct slice body, int64_t deadline_ms);

/* wanted as frame_take. *ret_frame is owned. */
enum channel_result channel_receive(
    struct channel *channel, uint32_t wanted, int64_t deadline_ms, struct frame **ret_frame);

#endif
