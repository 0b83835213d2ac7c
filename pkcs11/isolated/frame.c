/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/isolated/frame.h"

#include <stdlib.h>

#include "pkcs11/isolated/codec.h"

void frame_free(struct frame *frame)
{
    if (frame != NULL) {
        buf_clear(&frame->body);
        free(frame);
    }
}

void frame_freep(struct frame **frame)
{
    frame_free(*frame);
    *frame = NULL;
}

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

void frame_put_head(enum frame_type type, uint32_t exchange, uint8_t ret_head[FRAME_HEAD_SIZE])
{
    ret_head[0] = (uint8_t)type;
    put_u32(ret_head + 1, exchange);
}

static bool is_type(uint8_t type)
{
    return (type >= FRAME_OPEN && type <= FRAME_REQUEST_LAST) || type == FRAME_PIN || type == FRAME_NO_PIN ||
           (type >= FRAME_HELLO && type <= FRAME_FATAL);
}

struct frame *frame_parse(struct slice message)
{
    struct decode in = { .rest = message };
    uint8_t type = decode_u8(&in);
    uint32_t exchange = decode_u32(&in, UINT32_MAX);

    if (in.has_failed || !is_type(type) || (exchange == 0) != (type == FRAME_HELLO)) {
        return NULL;
    }
    struct frame *frame = calloc(1, sizeof(*frame));
    if (frame == NULL) {
        return NULL;
    }
    frame->type = (enum frame_type)type;
    frame->exchange = exchange;
    frame->body = BUF(FRAME_BODY_MAX);
    if (buf_put(&frame->body, in.rest, NULL) != KEYSTAY_OK) {
        frame_freep(&frame);
    }
    return frame;
}

bool frame_is_for(const struct frame *frame, uint32_t wanted)
{
    bool begins = frame->type <= FRAME_REQUEST_LAST || frame->type == FRAME_HELLO;

    return wanted == 0 ? begins : !begins && frame->exchange == wanted;
}

void frame_queue_clear(struct frame_queue *queue)
{
    while (queue->first != NULL) {
        struct frame *next = queue->first->next;
        frame_free(queue->first);
        queue->first = next;
    }
    *queue = (struct frame_queue){ 0 };
}

bool frame_put(struct frame_queue *queue, struct frame *frame)
{
    if (queue->n == FRAME_QUEUE_MAX) {
        frame_free(frame);
        return false;
    }
    if (queue->first == NULL) {
        queue->last = &queue->first;
    }
    *queue->last = frame;
    queue->last = &frame->next;
    queue->n++;
    return true;
}

struct frame *frame_take(struct frame_queue *queue, uint32_t wanted)
{
    for (struct frame **at = &queue->first; *at != NULL; at = &(*at)->next) {
        struct frame *frame = *at;

        if (frame_is_for(frame, wanted)) {
            *at = frame->next;
            if (queue->last == &frame->next) {
                queue->last = at;
            }
            frame->next = NULL;
            queue->n--;
            return frame;
        }
    }
    return NULL;
}
