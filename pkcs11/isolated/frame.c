/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/isolated/frame.h"

#include <stdlib.h>
#include <string.h>

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

void frame_put_head(
    enum frame_type type, uint32_t exchange, size_t body_len, uint8_t ret_head[FRAME_HEAD_SIZE])
{
    put_u32(ret_head, (uint32_t)body_len);
    ret_head[4] = (uint8_t)type;
    put_u32(ret_head + 5, exchange);
}

void frame_reader_clear(struct frame_reader *reader)
{
    frame_free(reader->partial);
    while (reader->first != NULL) {
        struct frame *next = reader->first->next;
        frame_free(reader->first);
        reader->first = next;
    }
    *reader = (struct frame_reader){ 0 };
}

static bool is_type(uint8_t type)
{
    return (type >= FRAME_OPEN && type <= FRAME_REQUEST_LAST) || type == FRAME_PIN || type == FRAME_NO_PIN ||
           (type >= FRAME_HELLO && type <= FRAME_FATAL);
}

/* The head is whole. */
static bool begin_body(struct frame_reader *reader)
{
    struct decode in = { .rest = { reader->head, FRAME_HEAD_SIZE } };
    uint32_t body_len = decode_u32(&in, FRAME_BODY_MAX);
    uint8_t type = decode_u8(&in);
    uint32_t exchange = decode_u32(&in, UINT32_MAX);

    if (decode_end(&in, NULL) != KEYSTAY_OK || !is_type(type) || (exchange == 0) != (type == FRAME_HELLO) ||
        reader->n_whole == FRAME_QUEUE_MAX) {
        return false;
    }
    reader->partial = calloc(1, sizeof(*reader->partial));
    if (reader->partial == NULL) {
        return false;
    }
    reader->partial->type = (enum frame_type)type;
    reader->partial->exchange = exchange;
    reader->partial->body = BUF(FRAME_BODY_MAX);
    reader->body_len = body_len;
    return true;
}

static void end_body(struct frame_reader *reader)
{
    if (reader->first == NULL) {
        reader->last = &reader->first;
    }
    *reader->last = reader->partial;
    reader->last = &reader->partial->next;
    reader->partial = NULL;
    reader->n_head = 0;
    reader->n_whole++;
}

static struct slice cut(struct slice *bytes, size_t most)
{
    struct slice head = { bytes->data, bytes->len < most ? bytes->len : most };

    bytes->data += head.len;
    bytes->len -= head.len;
    return head;
}

bool frame_feed(struct frame_reader *reader, struct slice bytes)
{
    while (bytes.len > 0) {
        if (reader->partial == NULL) {
            struct slice head = cut(&bytes, FRAME_HEAD_SIZE - reader->n_head);
            memcpy(reader->head + reader->n_head, head.data, head.len);
            reader->n_head += head.len;
        }
        if (reader->partial == NULL && reader->n_head == FRAME_HEAD_SIZE && !begin_body(reader)) {
            return false;
        }
        struct frame *partial = reader->partial;
        if (partial != NULL &&
            buf_put(&partial->body, cut(&bytes, reader->body_len - partial->body.len), NULL) != KEYSTAY_OK) {
            return false;
        }
        if (partial != NULL && partial->body.len == reader->body_len) {
            end_body(reader);
        }
    }
    return true;
}

bool frame_is_for(const struct frame *frame, uint32_t wanted)
{
    bool begins = frame->type <= FRAME_REQUEST_LAST || frame->type == FRAME_HELLO;

    return wanted == 0 ? begins : !begins && frame->exchange == wanted;
}

struct frame *frame_take(struct frame_reader *reader, uint32_t wanted)
{
    for (struct frame **at = &reader->first; *at != NULL; at = &(*at)->next) {
        struct frame *frame = *at;

        if (frame_is_for(frame, wanted)) {
            *at = frame->next;
            if (reader->last == &frame->next) {
                reader->last = at;
            }
            frame->next = NULL;
            reader->n_whole--;
            return frame;
        }
    }
    return NULL;
}
