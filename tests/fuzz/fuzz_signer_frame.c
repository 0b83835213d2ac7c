/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between a program and its signer process, as either end gets them: each stands behind its length
 * (two bytes, big-endian). One that is a frame is the same message when it is written again, and the queue
 * gives each, in order, to the process (what begins an exchange) or to the program (what belongs to one).
 */
#include "fuzz.h"

#include <string.h>

#include "pkcs11/isolated/frame.h"

enum { LENGTH_SIZE = 2 };

static void check_frame(const struct frame *frame, struct slice message)
{
    uint8_t head[FRAME_HEAD_SIZE];

    MUST(frame->body.len <= FRAME_BODY_MAX);
    MUST((frame->exchange == 0) == (frame->type == FRAME_HELLO));
    frame_put_head(frame->type, frame->exchange, head);
    MUST(message.len == sizeof(head) + frame->body.len);
    MUST(memcmp(message.data, head, sizeof(head)) == 0);
    MUST(frame->body.len == 0 || memcmp(message.data + sizeof(head), frame->body.data, frame->body.len) == 0);
}

/* Each is for exactly one of those who may wait. */
static void take_all(struct frame_queue *queue)
{
    while (queue->first != NULL) {
        const struct frame *first = queue->first;
        uint32_t wanted = frame_is_for(first, 0) ? 0 : first->exchange;
        size_t n_before = queue->n;

        MUST(frame_is_for(first, wanted));
        MUST(wanted != 0 || !frame_is_for(first, first->exchange == 0 ? 1 : first->exchange));
        struct frame *taken = frame_take(queue, wanted);
        MUST(taken == first && taken->next == NULL);
        MUST(queue->n == n_before - 1);
        frame_free(taken);
    }
    MUST(queue->n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame_queue queue = { 0 };
    bool has_room = true;

    while (has_room && size >= LENGTH_SIZE) {
        size_t claimed = (size_t)data[0] << 8 | data[1];
        size_t len = claimed < size - LENGTH_SIZE ? claimed : size - LENGTH_SIZE;
        const struct slice message = { data + LENGTH_SIZE, len };
        struct frame *frame = frame_parse(message);

        if (frame != NULL) {
            check_frame(frame, message);
            has_room = frame_put(&queue, frame);
        }
        data += LENGTH_SIZE + len;
        size -= LENGTH_SIZE + len;
    }
    MUST(queue.n <= FRAME_QUEUE_MAX && (has_room || queue.n == FRAME_QUEUE_MAX));
    take_all(&queue);
    frame_queue_clear(&queue);
    return 0;
}
