/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_ISOLATED_FRAME_H
#define PKCS11_ISOLATED_FRAME_H

/*
 * Messages of the socket as they stand there: the type, the number of the exchange, the body. Where one ends
 * the socket knows.
 */

#include <stdbool.h>

#include "base/buf.h"

enum {
    FRAME_BODY_MAX = 64 * 1024, /* bytes: a certificate of 16 KiB and every text at its cap fit */
    FRAME_HEAD_SIZE = 5,        /* u8 type, u32 exchange */
    FRAME_QUEUE_MAX =
        4096, /* frames that nobody has taken yet: whoever sends more does not speak this protocol */
};

enum frame_type {
    /* A program to its signer process: each begins an exchange. */
    FRAME_OPEN = 1,
    FRAME_SIGN,
    FRAME_CHECK,
    FRAME_LOCK,
    FRAME_CLOSE,
    FRAME_REQUEST_LAST = FRAME_CLOSE,
    /* The same way, within an exchange. */
    FRAME_PIN = 16,
    FRAME_NO_PIN,
    /* The signer process to its program. */
    FRAME_HELLO = 32, /* exchange 0 */
    FRAME_OPENED,     /* these four end an exchange */
    FRAME_SIGNED,
    FRAME_DONE,
    FRAME_FAILED,
    FRAME_ASK_PIN,
    FRAME_SLOW,
    FRAME_LOG,
    FRAME_FATAL,
};

struct frame {
    struct frame *next;
    enum frame_type type;
    uint32_t exchange; /* not 0 but for FRAME_HELLO */
    struct buf body;   /* wiped when it is freed: it may be a PIN */
};

/* NULL is fine. */
void frame_free(struct frame *frame);
void frame_freep(struct frame **frame);

/* The head of a frame to send. */
void frame_put_head(enum frame_type type, uint32_t exchange, uint8_t ret_head[FRAME_HEAD_SIZE]);

/* NULL: this message is no frame, or memory is out. Owned. */
struct frame *frame_parse(struct slice message);

/* Whether it begins an exchange (wanted 0; FRAME_HELLO does too), or belongs to the exchange wanted. */
bool frame_is_for(const struct frame *frame, uint32_t wanted);

/* What has come and was not taken yet. */
struct frame_queue {
    struct frame *first; /* owned, in order */
    struct frame **last; /* where the next one is hung; NULL: at first */
    size_t n;
};

void frame_queue_clear(struct frame_queue *queue);

/* frame is taken. False: there are too many. */
bool frame_put(struct frame_queue *queue, struct frame *frame);

/* The first one that is for wanted. NULL: there is none. Owned. */
struct frame *frame_take(struct frame_queue *queue, uint32_t wanted);

#endif
