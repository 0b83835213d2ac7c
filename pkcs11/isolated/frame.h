/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_ISOLATED_FRAME_H
#define PKCS11_ISOLATED_FRAME_H

/*
 * Messages as they stand in the stream: the length of the body, the type, the number of the exchange, the
 * body. Both ends cut the stream with this one reader.
 */

#include <stdbool.h>

#include "base/buf.h"

enum {
    FRAME_BODY_MAX = 64 * 1024, /* bytes: a certificate of 16 KiB and every text at its cap fit */
    FRAME_HEAD_SIZE = 9,        /* u32 length of the body, u8 type, u32 exchange */
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
void frame_put_head(
    enum frame_type type, uint32_t exchange, size_t body_len, uint8_t ret_head[FRAME_HEAD_SIZE]);

/* What has come of a stream. */
struct frame_reader {
    uint8_t head[FRAME_HEAD_SIZE];
    size_t n_head;
    size_t body_len;
    struct frame *partial; /* owned: its head is there, its body not yet */
    struct frame *first;   /* owned: whole, in order */
    struct frame **last;   /* where the next one is hung; NULL: at first */
    size_t n_whole;
};

void frame_reader_clear(struct frame_reader *reader);

/* Takes bytes as they come. False: that is no frame, or too many of them; nothing more can be read. */
bool frame_feed(struct frame_reader *reader, struct slice bytes);

/*
 * Takes the first whole frame that begins an exchange (wanted 0; FRAME_HELLO too), or the first one of the
 * exchange wanted. NULL: there is none. Owned.
 */
struct frame *frame_take(struct frame_reader *reader, uint32_t wanted);

/* Whether frame_take would take it. */
bool frame_is_for(const struct frame *frame, uint32_t wanted);

#endif
