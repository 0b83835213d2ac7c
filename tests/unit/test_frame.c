/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "pkcs11/isolated/frame.h"

#define QUEUE CLEANUP(frame_queue_clear) struct frame_queue

static struct frame *parse(int type, uint32_t exchange, struct slice body)
{
    CLEANUP(buf_clear) struct buf message = BUF(2 * FRAME_BODY_MAX);
    uint8_t head[FRAME_HEAD_SIZE];

    frame_put_head((enum frame_type)type, exchange, head);
    assert_ok(buf_put(&message, (struct slice){ head, sizeof(head) }, NULL));
    assert_ok(buf_put(&message, body, NULL));
    return frame_parse(buf_slice(&message));
}

static bool put(struct frame_queue *queue, enum frame_type type, uint32_t exchange, struct slice body)
{
    struct frame *frame = parse((int)type, exchange, body);

    assert_non_null(frame);
    return frame_put(queue, frame);
}

static void assert_taken(struct frame_queue *queue, uint32_t wanted, enum frame_type type, const char *body)
{
    CLEANUP(frame_freep) struct frame *frame = frame_take(queue, wanted);

    assert_non_null(frame);
    assert_int_equal(frame->type, type);
    assert_null(frame->next);
    assert_slice(buf_slice(&frame->body), body);
}

TEST(nothing_is_fine)
{
    QUEUE queue = { 0 };

    frame_free(NULL);
    assert_null(frame_parse((struct slice){ NULL, 0 }));
    assert_null(frame_take(&queue, 0));
    assert_null(frame_take(&queue, 1));
    frame_queue_clear(&queue);
    assert_null(frame_take(&queue, 0));
}

TEST(a_head_stands_as_it_is_specified)
{
    static const uint8_t expected[] = { FRAME_SIGN, 0xA1, 0xB2, 0xC3, 0xD4 };
    uint8_t head[FRAME_HEAD_SIZE];

    frame_put_head(FRAME_SIGN, 0xA1B2C3D4, head);
    assert_memory_equal(head, expected, sizeof(expected));
}

TEST(a_message_is_one_frame)
{
    CLEANUP(frame_freep)
    struct frame *frame = frame_parse(SLICE("\x22\x01\x02\x03\x04"
                                            "body"));

    assert_non_null(frame);
    assert_int_equal(frame->type, FRAME_SIGNED);
    assert_int_equal(frame->exchange, 0x01020304);
    assert_slice(buf_slice(&frame->body), "body");
}

TEST(half_a_head_is_no_frame)
{
    static const uint8_t message[] = { FRAME_DONE, 0, 0, 0, 1 };

    for (size_t len = 0; len < sizeof(message); len++) {
        assert_null(frame_parse((struct slice){ message, len }));
    }
    frame_free(parse(FRAME_DONE, 1, SLICE("")));
}

TEST(frames_of_an_exchange_come_in_their_order)
{
    QUEUE queue = { 0 };

    assert_true(put(&queue, FRAME_LOG, 1, SLICE("one")));
    assert_true(put(&queue, FRAME_LOG, 2, SLICE("other")));
    assert_true(put(&queue, FRAME_LOG, 1, SLICE("two")));
    assert_taken(&queue, 1, FRAME_LOG, "one");
    assert_taken(&queue, 1, FRAME_LOG, "two"); /* the last of the queue: the next is hung elsewhere */
    assert_true(put(&queue, FRAME_DONE, 1, SLICE("three")));
    assert_taken(&queue, 1, FRAME_DONE, "three");
    assert_null(frame_take(&queue, 1));
    assert_taken(&queue, 2, FRAME_LOG, "other");
    assert_true(put(&queue, FRAME_DONE, 2, SLICE("end")));
    assert_taken(&queue, 2, FRAME_DONE, "end");
}

/* A process that waits for requests is not given an answer to a question of its own, nor the other way. */
TEST(what_begins_an_exchange_is_not_part_of_one)
{
    QUEUE queue = { 0 };

    assert_true(put(&queue, FRAME_PIN, 5, SLICE("pin")));
    assert_true(put(&queue, FRAME_SIGN, 5, SLICE("request")));
    assert_taken(&queue, 0, FRAME_SIGN, "request");
    assert_null(frame_take(&queue, 0));
    assert_taken(&queue, 5, FRAME_PIN, "pin");
    assert_null(frame_take(&queue, 5));
}

TEST(a_body_may_fill_its_cap_and_no_more)
{
    CLEANUP(freep) uint8_t *bytes = calloc(1, FRAME_BODY_MAX + 1);

    assert_non_null(bytes);
    CLEANUP(frame_freep) struct frame *frame = parse(FRAME_OPEN, 1, (struct slice){ bytes, FRAME_BODY_MAX });
    assert_non_null(frame);
    assert_int_equal(frame->body.len, FRAME_BODY_MAX);
    assert_null(parse(FRAME_OPEN, 1, (struct slice){ bytes, FRAME_BODY_MAX + 1 }));
}

TEST(a_head_that_is_wrong_is_refused)
{
    static const struct {
        const char *name;
        int type;
        uint32_t exchange;
    } rows[] = {
        { "type 0", 0, 1 },
        { "between requests and the PIN", FRAME_REQUEST_LAST + 1, 1 },
        { "between the PIN and the answers", FRAME_NO_PIN + 1, 1 },
        { "before the answers", FRAME_HELLO - 1, 1 },
        { "behind the last", FRAME_FATAL + 1, 1 },
        { "type 255", 255, 1 },
        { "a request of exchange 0", FRAME_SIGN, 0 },
        { "an answer of exchange 0", FRAME_DONE, 0 },
        { "a greeting with an exchange", FRAME_HELLO, 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(parse(rows[i].type, rows[i].exchange, SLICE("body")) == NULL, rows[i].name);
    }
}

TEST(every_type_there_is_is_read)
{
    static const enum frame_type types[] = {
        FRAME_OPEN,    FRAME_SIGN,  FRAME_CHECK,  FRAME_LOCK,   FRAME_CLOSE, FRAME_PIN,
        FRAME_NO_PIN,  FRAME_HELLO, FRAME_OPENED, FRAME_SIGNED, FRAME_DONE,  FRAME_FAILED,
        FRAME_ASK_PIN, FRAME_SLOW,  FRAME_LOG,    FRAME_FATAL,
    };

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        CLEANUP(frame_freep)
        struct frame *frame = parse((int)types[i], types[i] == FRAME_HELLO ? 0 : UINT32_MAX, SLICE(""));

        assert_non_null(frame);
        assert_int_equal(frame->type, types[i]);
    }
}

/* Nobody takes what it sends: it does not fill our memory. */
TEST(a_queue_has_an_end)
{
    QUEUE queue = { 0 };

    for (int i = 0; i < FRAME_QUEUE_MAX; i++) {
        assert_true(put(&queue, FRAME_LOG, 1, SLICE("")));
    }
    frame_free(frame_take(&queue, 1));
    assert_true(put(&queue, FRAME_LOG, 1, SLICE("")));
    assert_false(put(&queue, FRAME_LOG, 1, SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_fine),
        cmocka_unit_test(a_head_stands_as_it_is_specified),
        cmocka_unit_test(a_message_is_one_frame),
        cmocka_unit_test(half_a_head_is_no_frame),
        cmocka_unit_test(frames_of_an_exchange_come_in_their_order),
        cmocka_unit_test(what_begins_an_exchange_is_not_part_of_one),
        cmocka_unit_test(a_body_may_fill_its_cap_and_no_more),
        cmocka_unit_test(a_head_that_is_wrong_is_refused),
        cmocka_unit_test(every_type_there_is_is_read),
        cmocka_unit_test(a_queue_has_an_end),
    };

    return RUN_TESTS(tests);
}
