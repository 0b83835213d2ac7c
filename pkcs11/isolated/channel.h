/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_ISOLATED_CHANNEL_H
#define PKCS11_ISOLATED_CHANNEL_H

/*
 * One end of the socket (SOCK_SEQPACKET: a message is a frame) between a program and its signer process,
 * shared by many threads: each waits for the frames of its own exchange. There is no thread that reads for
 * the others: one of those who wait does, and the frame that is not its own wakes the one that it is for. So
 * a single caller gets its answer without a detour. At the signer process's end it does not matter who gets a
 * request: all who are free wait in the kernel, which wakes one of them, and nobody has to be told to read
 * on.
 */

#include "pkcs11/isolated/frame.h"

struct channel;

enum channel_result {
    CHANNEL_OK,
    CHANNEL_LATE, /* nothing came before the deadline */
    CHANNEL_GONE, /* the other end closed it, or sends what is no frame; for good */
};

enum { CHANNEL_NO_DEADLINE = -1 };

/* fd, a connected SOCK_SEQPACKET socket, is taken. NULL: out of memory, and fd is closed. */
struct channel *channel_new(int fd);

/* Everybody who waits gets CHANNEL_GONE. */
void channel_shut(struct channel *channel);

/* Nobody may be in it. NULL is fine. */
void channel_free(struct channel *channel);

/* deadline_ms by clock_monotonic_ms, or CHANNEL_NO_DEADLINE. */
enum channel_result channel_send(
    struct channel *channel, enum frame_type type, uint32_t exchange, struct slice body, int64_t deadline_ms);

/* wanted as frame_is_for. *ret_frame is owned. */
enum channel_result channel_receive(
    struct channel *channel, uint32_t wanted, int64_t deadline_ms, struct frame **ret_frame);

/*
 * The next frame that begins an exchange, for any number of threads. From the first call on they alone read:
 * one of them must always be here for those in channel_receive to get anything. *ret_frame is owned.
 */
enum channel_result channel_accept(struct channel *channel, struct frame **ret_frame);

#endif
