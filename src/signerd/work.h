/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGNERD_WORK_H
#define SIGNERD_WORK_H

/* What a worker is at: whom its answers go to, and which call of the module it is in. */

#include "base/buf.h"
#include "keystay/pkcs11.h"
#include "pkcs11/isolated/channel.h"

/* Before the first worker. fd is the channel's: a module that ends the process is told of there, as a last
 * word. */
void work_init(struct channel *of, int fd);

/* In the worker's own thread, before and after each request. */
void work_begin(uint32_t exchange);
void work_end(void);

/* A frame of the request that this thread is at. */
void work_send(enum frame_type type, const struct buf *body);

/* Waits for the frame that belongs to it. The process ends when the program is gone. *ret_frame is owned. */
void work_receive(struct frame **ret_frame);

/* Where the engine's remarks and its calls go. */
extern const struct keystay_log work_log;
extern const struct keystay_call_watch work_watch;

/*
 * Looks after the others, in a thread of its own: says when a call lasts (FRAME_SLOW), and ends the process
 * when the program is gone, also while every worker hangs.
 */
void *work_watch_over(void *unused);

#endif
