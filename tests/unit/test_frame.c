/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "pkcs11/isolated/frame.h"

#define READER CLEANUP(frame_reader_clear) struct frame_reader

static void put_frame(struct buf *stream, enum frame_type type, uint32_t exchange, struct slice body)
{
    uint8_t head[FRAME_HEAD_SIZE];

    frame_put_head(type, exchange, body.len, head);
    assert_ok(buf_put(stream, (struct slice){ head, sizeof(head) }, NULL));
    assert_ok(buf_put(stream, body, NULL));
}

static bool feed_one(struct frame_reader *reader, enum frame_type type, uint32_t exchange, struct slice body)
{
    CLEANUP(buf_clear) struct buf stream = BUF(2 * FRAME_BODY_MAX);

    put_frame(&stream, type, exchange, body);
    return frame_feed(reader, buf_slice(&stream));
}

static void assert_taken(struct frame_reader *reader, uint32_t wanted, enum frame_type type, const char *body)
{
    CLEANUP(frame_freep) struct frame *frame = frame_take(reader, wanted);

    assert_non_null(frame);
    assert_int_equal(frame->type, type);
    assert_null(frame->next);
    assert_slice(buf_slice(&frame->body), body);
}

TEST(nothing_is_fine)
{
    READER reader = { 0 };

    frame_free(NULL);
    assert_true(frame_feed(&reader, (struct slice){ NULL, 0 }));
    assert_null(frame_take(&reader, 0));
    assert_null(frame_take(&reader, 1));
    frame_reader_clear(&reader);
    assert_null(frame_take(&reader, 0));
}

TEST(a_head_stands_as_it_is_specified)
{
    static const uint8_t expected[] = { 0, 1, 0, 0, FRAME_SIGN, 0xA1, 0xB2, 0xC3, 0xD4 };
    uint8_t head[FRAME_HEAD_SIZE];

    frame_put_head(FRAME_SIGN, 0xA1B2C3D4, 0x10000, head);
    assert_memory_equal(head, expected, sizeof(expected));
}

/* Wherever the stream is cut, in two and into single bytes: the same frames. */
TEST(any_split_of_the_stream_gives_the_same_frames)
{
    CLEANUP(buf_clear) struct buf stream = BUF(FRAME_BODY_MAX);

    put_frame(&stream, FRAME_HELLO, 0, SLICE("hello"));
    put_frame(&stream, FRAME_DONE, 7, SLICE(""));
    put_frame(&stream, FRAME_SIGNED, 8, SLICE("signature"));
    for (size_t first = 0; first <= stream.len; first++) {
        READER reader = { 0 };

        assert_true(frame_feed(&reader, (struct slice){ stream.data, first }));
        assert_true(frame_feed(&reader, (struct slice){ stream.data + first, stream.len - first }));
        assert_int_equal(reader.n_whole, 3);
        assert_taken(&reader, 0, FRAME_HELLO, "hello");
        assert_taken(&reader, 7, FRAME_DONE, "");
        assert_taken(&reader, 8, FRAME_SIGNED, "signature");
        assert_int_equal(reader.n_whole, 0);
    }
    READER reader = { 0 };
    for (size_t i = 0; i < stream.len; i++) {
        assert_true(frame_feed(&reader, (struct slice){ stream.data + i, 1 }));
    }
    assert_taken(&reader, 8, FRAME_SIGNED, "signature");
    assert_taken(&reader, 7, FRAME_DONE, "");
    assert_taken(&reader, 0, FRAME_HELLO, "hello");
}

TEST(frames_of_an_exchange_come_in_their_order)
{
    READER reader = { 0 };

    assert_true(feed_one(&reader, FRAME_LOG, 1, SLICE("one")));
    assert_true(feed_one(&reader, FRAME_LOG, 2, SLICE("other")));
    assert_true(feed_one(&reader, FRAME_LOG, 1, SLICE("two")));
    assert_taken(&reader, 1, FRAME_LOG, "one");
    assert_taken(&reader, 1, FRAME_LOG, "two"); /* the last of the queue: the next is hung elsewhere */
    assert_true(feed_one(&reader, FRAME_DONE, 1, SLICE("three")));
    assert_taken(&reader, 1, FRAME_DONE, "three");
    assert_null(frame_take(&reader, 1));
    assert_taken(&reader, 2, FRAME_LOG, "other");
    assert_true(feed_one(&reader, FRAME_DONE, 2, SLICE("end")));
    assert_taken(&reader, 2, FRAME_DONE, "end");
}

/* A process that waits for requests is not given an answer to a question of its own, nor the other way. */
TEST(what_begins_an_exchange_is_not_part_of_one)
{
    READER reader = { 0 };

    assert_true(feed_one(&reader, FRAME_PIN, 5, SLICE("pin")));
    assert_true(feed_one(&reader, FRAME_SIGN, 5, SLICE("request")));
    assert_taken(&reader, 0, FRAME_SIGN, "request");
    assert_null(frame_take(&reader, 0));
    assert_taken(&reader, 5, FRAME_PIN, "pin");
    assert_null(frame_take(&reader, 5));
}

TEST(a_body_may_fill_its_cap)
{
    READER reader = { 0 };
    CLEANUP(freep) uint8_t *bytes = calloc(1, FRAME_BODY_MAX);

    assert_non_null(bytes);
    assert_true(feed_one(&reader, FRAME_OPEN, 1, (struct slice){ bytes, FRAME_BODY_MAX }));
    CLEANUP(frame_freep) struct frame *frame = frame_take(&reader, 0);
    assert_non_null(frame);
    assert_int_equal(frame->body.len, FRAME_BODY_MAX);
}

TEST(a_head_that_is_wrong_is_refused_before_its_body_comes)
{
    static const struct {
        const char *name;
        int type;
        uint32_t exchange;
        size_t body_len;
    } rows[] = {
        { "a body beyond the cap", FRAME_OPEN, 1, FRAME_BODY_MAX + 1 },
        { "a body of 4 GiB", FRAME_OPEN, 1, UINT32_MAX },
        { "type 0", 0, 1, 0 },
        { "between requests and the PIN", FRAME_REQUEST_LAST + 1, 1, 0 },
        { "between the PIN and the answers", FRAME_NO_PIN + 1, 1, 0 },
        { "before the answers", FRAME_HELLO - 1, 1, 0 },
        { "behind the last", FRAME_FATAL + 1, 1, 0 },
        { "type 255", 255, 1, 0 },
        { "a request of exchange 0", FRAME_SIGN, 0, 0 },
        { "an answer of exchange 0", FRAME_DONE, 0, 0 },
        { "a greeting with an exchange", FRAME_HELLO, 1, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        READER reader = { 0 };
        uint8_t head[FRAME_HEAD_SIZE];

        frame_put_head((enum frame_type)rows[i].type, rows[i].exchange, rows[i].body_len, head);
        assert_row(frame_feed(&reader, (struct slice){ head, FRAME_HEAD_SIZE - 1 }), rows[i].name);
        assert_row(!frame_feed(&reader, (struct slice){ head + FRAME_HEAD_SIZE - 1, 1 }), rows[i].name);
        assert_row(reader.n_whole == 0, rows[i].name);
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
        READER reader = { 0 };

        assert_true(feed_one(&reader, types[i], types[i] == FRAME_HELLO ? 0 : UINT32_MAX, SLICE("")));
        assert_int_equal(reader.first->type, types[i]);
    }
}

/* Nobody takes what it sends: it does not fill our memory. */
TEST(a_queue_has_an_end)
{
    READER reader = { 0 };

    for (int i = 0; i < FRAME_QUEUE_MAX; i++) {
        assert_true(feed_one(&reader, FRAME_LOG, 1, SLICE("")));
    }
    frame_free(frame_take(&reader, 1));
    assert_true(feed_one(&reader, FRAME_LOG, 1, SLICE("")));
    assert_false(feed_one(&reader, FRAME_LOG, 1, SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_fine),
        cmocka_unit_test(a_head_stands_as_it_is_specified),
        cmocka_unit_test(any_split_of_the_stream_gives_the_same_frames),
        cmocka_unit_test(frames_of_an_exchange_come_in_their_order),
        cmocka_unit_test(what_begins_an_exchange_is_not_part_of_one),
        cmocka_unit_test(a_body_may_fill_its_cap),
        cmocka_unit_test(a_head_that_is_wrong_is_refused_before_its_body_comes),
        cmocka_unit_test(every_type_there_is_is_read),
        cmocka_unit_test(a_queue_has_an_end),
    };

    return RUN_TESTS(tests);
}
