/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream between a program and its signer process, as either end cuts it. The first byte says in what
 * portions it comes. However it is cut, the frames put together again are the beginning of what came, and the
 * same ones are taken by the process (what begins an exchange) or by the program (what belongs to one).
 */
#include "fuzz.h"

#include <string.h>

#include "pkcs11/isolated/frame.h"

static void check_frame(const struct frame *frame, struct slice *rest)
{
    uint8_t head[FRAME_HEAD_SIZE];

    MUST(frame->body.len <= FRAME_BODY_MAX);
    MUST((frame->exchange == 0) == (frame->type == FRAME_HELLO));
    frame_put_head(frame->type, frame->exchange, frame->body.len, head);
    MUST(rest->len >= sizeof(head) + frame->body.len);
    MUST(memcmp(rest->data, head, sizeof(head)) == 0);
    MUST(frame->body.len == 0 || memcmp(rest->data + sizeof(head), frame->body.data, frame->body.len) == 0);
    rest->data += sizeof(head) + frame->body.len;
    rest->len -= sizeof(head) + frame->body.len;
}

/* Each is for exactly one of those who may wait. */
static void take_all(struct frame_reader *reader)
{
    while (reader->first != NULL) {
        const struct frame *first = reader->first;
        uint32_t wanted = frame_is_for(first, 0) ? 0 : first->exchange;
        size_t n_before = reader->n_whole;

        MUST(frame_is_for(first, wanted));
        MUST(wanted != 0 || !frame_is_for(first, first->exchange == 0 ? 1 : first->exchange));
        struct frame *taken = frame_take(reader, wanted);
        MUST(taken == first && taken->next == NULL);
        MUST(reader->n_whole == n_before - 1);
        frame_free(taken);
    }
    MUST(reader->n_whole == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame_reader reader = { 0 };
    bool is_good = true;

    if (size == 0) {
        return 0;
    }
    size_t portion = (size_t)data[0] + 1;
    struct slice stream = { data + 1, size - 1 };
    struct slice rest = stream;
    for (size_t at = 0; is_good && at < stream.len; at += portion) {
        size_t len = stream.len - at < portion ? stream.len - at : portion;
        is_good = frame_feed(&reader, (struct slice){ stream.data + at, len });
    }
    MUST(reader.n_whole <= FRAME_QUEUE_MAX);
    for (const struct frame *frame = reader.first; frame != NULL; frame = frame->next) {
        check_frame(frame, &rest);
    }
    take_all(&reader);
    frame_reader_clear(&reader);
    return 0;
}
