/* SPDX-License-Identifier: Apache-2.0 */
/* One end is a channel with many threads, the other the test's own, or a peer that answers. */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "pkcs11/isolated/channel.h"
#include "scratch.h"

enum { CALLERS = 16, ROUNDS = 50, LOGS = 3, SOON_MS = 50, LONG_MS = 20000 };

struct pair {
    struct channel *ours;
    struct channel *theirs;
};

static struct pair pair_new(void)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    struct pair pair = { channel_new(ends[0]), channel_new(ends[1]) };
    assert_non_null(pair.ours);
    assert_non_null(pair.theirs);
    return pair;
}

static void pair_free(struct pair *pair)
{
    channel_free(pair->ours);
    channel_free(pair->theirs);
}

#define PAIR CLEANUP(pair_free) struct pair

static int64_t in_ms(int64_t ms)
{
    return clock_monotonic_ms() + ms;
}

static void assert_received(struct channel *channel, uint32_t wanted, enum frame_type type, const char *body)
{
    CLEANUP(frame_freep) struct frame *frame = NULL;

    assert_int_equal(channel_receive(channel, wanted, in_ms(LONG_MS), &frame), CHANNEL_OK);
    assert_int_equal(frame->type, type);
    assert_slice(buf_slice(&frame->body), body);
}

TEST(nothing_is_fine)
{
    channel_free(NULL);
    PAIR pair = pair_new();
    channel_shut(pair.ours);
    channel_shut(pair.ours);
}

TEST(a_channel_owns_its_descriptor)
{
    int ends[2];
    uint8_t byte = 0;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    channel_free(channel_new(ends[0]));
    assert_int_equal(read(ends[1], &byte, 1), 0);
    file_closep(&ends[1]);
}

TEST(frames_go_both_ways)
{
    PAIR pair = pair_new();

    assert_int_equal(
        channel_send(pair.ours, FRAME_CHECK, 1, (struct slice){ NULL, 0 }, CHANNEL_NO_DEADLINE), CHANNEL_OK);
    assert_int_equal(channel_send(pair.theirs, FRAME_DONE, 1, SLICE("done"), in_ms(LONG_MS)), CHANNEL_OK);
    assert_received(pair.theirs, 0, FRAME_CHECK, "");
    assert_received(pair.ours, 1, FRAME_DONE, "done");
}

TEST(a_frame_for_another_exchange_stays)
{
    PAIR pair = pair_new();
    struct frame *frame = NULL;

    assert_int_equal(channel_send(pair.theirs, FRAME_DONE, 2, SLICE("two"), in_ms(LONG_MS)), CHANNEL_OK);
    assert_int_equal(channel_receive(pair.ours, 1, in_ms(SOON_MS), &frame), CHANNEL_LATE);
    assert_null(frame);
    assert_received(pair.ours, 2, FRAME_DONE, "two");
}

TEST(a_deadline_holds_for_whoever_reads)
{
    PAIR pair = pair_new();
    struct frame *frame = NULL;
    int64_t started_ms = clock_monotonic_ms();

    assert_int_equal(channel_receive(pair.ours, 1, started_ms + SOON_MS, &frame), CHANNEL_LATE);
    assert_true(clock_monotonic_ms() - started_ms >= SOON_MS);
    assert_int_equal(channel_receive(pair.ours, 1, started_ms, &frame), CHANNEL_LATE); /* long past */
}

struct waiting {
    pthread_t thread;
    struct channel *channel;
    uint32_t wanted;
    int64_t deadline_ms;
    enum channel_result result;
};

static void *wait_for_frame(void *context)
{
    struct waiting *waiting = context;
    struct frame *frame = NULL;

    waiting->result = channel_receive(waiting->channel, waiting->wanted, waiting->deadline_ms, &frame);
    frame_free(frame);
    return NULL;
}

static void begin(struct waiting *waiting, struct channel *channel, uint32_t wanted, int64_t deadline_ms)
{
    *waiting = (struct waiting){ .channel = channel, .wanted = wanted, .deadline_ms = deadline_ms };
    assert_int_equal(pthread_create(&waiting->thread, NULL, wait_for_frame, waiting), 0);
}

static enum channel_result end(struct waiting *waiting)
{
    assert_int_equal(pthread_join(waiting->thread, NULL), 0);
    return waiting->result;
}

/* The one at the socket goes away with nothing: another must take its place, or nobody would read. */
TEST(the_readers_place_is_handed_on_at_a_deadline)
{
    PAIR pair = pair_new();
    struct waiting first;
    struct waiting others[CALLERS];

    begin(&first, pair.ours, 1, in_ms(4 * SOON_MS));
    sleep_ms(SOON_MS);
    for (uint32_t i = 0; i < CALLERS; i++) {
        begin(&others[i], pair.ours, 2 + i, in_ms(LONG_MS));
    }
    assert_int_equal(end(&first), CHANNEL_LATE);
    for (uint32_t i = CALLERS; i > 0; i--) {
        assert_int_equal(channel_send(pair.theirs, FRAME_DONE, 1 + i, SLICE(""), in_ms(LONG_MS)), CHANNEL_OK);
    }
    for (size_t i = 0; i < CALLERS; i++) {
        assert_int_equal(end(&others[i]), CHANNEL_OK);
    }
}

TEST(a_deadline_holds_for_those_who_do_not_read)
{
    PAIR pair = pair_new();
    struct waiting reader;
    struct frame *frame = NULL;

    begin(&reader, pair.ours, 1, in_ms(LONG_MS));
    sleep_ms(SOON_MS);
    assert_int_equal(channel_receive(pair.ours, 2, in_ms(SOON_MS), &frame), CHANNEL_LATE);
    assert_int_equal(channel_send(pair.theirs, FRAME_DONE, 1, SLICE(""), in_ms(LONG_MS)), CHANNEL_OK);
    assert_int_equal(end(&reader), CHANNEL_OK);
}

static void assert_all_are_let_go(void (*how)(struct pair *pair))
{
    PAIR pair = pair_new();
    struct waiting waiting[CALLERS];
    struct frame *frame = NULL;

    for (uint32_t i = 0; i < CALLERS; i++) {
        begin(&waiting[i], pair.ours, 1 + i, CHANNEL_NO_DEADLINE);
    }
    sleep_ms(SOON_MS);
    how(&pair);
    for (size_t i = 0; i < CALLERS; i++) {
        assert_int_equal(end(&waiting[i]), CHANNEL_GONE);
    }
    assert_int_equal(channel_receive(pair.ours, 1, in_ms(LONG_MS), &frame), CHANNEL_GONE);
    assert_int_equal(channel_send(pair.ours, FRAME_SIGN, 1, SLICE("x"), in_ms(LONG_MS)), CHANNEL_GONE);
}

static void shut_ours(struct pair *pair)
{
    channel_shut(pair->ours);
}

static void close_theirs(struct pair *pair)
{
    channel_free(pair->theirs);
    pair->theirs = NULL;
}

static void send_nonsense(struct pair *pair)
{
    (void)channel_send(pair->theirs, (enum frame_type)200, 1, SLICE(""), in_ms(LONG_MS));
}

TEST(everybody_is_let_go_when_it_is_shut)
{
    assert_all_are_let_go(shut_ours);
}

TEST(everybody_is_let_go_when_the_other_end_is_gone)
{
    assert_all_are_let_go(close_theirs);
}

TEST(everybody_is_let_go_when_what_comes_is_no_frame)
{
    assert_all_are_let_go(send_nonsense);
}

/* What was said before the end is heard: an answer is not lost because its sender ended after it. */
TEST(what_came_before_the_end_is_received)
{
    PAIR pair = pair_new();

    assert_int_equal(channel_send(pair.theirs, FRAME_LOG, 1, SLICE("one"), in_ms(LONG_MS)), CHANNEL_OK);
    assert_int_equal(channel_send(pair.theirs, FRAME_DONE, 1, SLICE("two"), in_ms(LONG_MS)), CHANNEL_OK);
    close_theirs(&pair);
    assert_received(pair.ours, 1, FRAME_LOG, "one");
    assert_received(pair.ours, 1, FRAME_DONE, "two");
}

/* Somebody who does not read fills the socket. What was sent is whole, and so is what follows. */
TEST(a_peer_that_does_not_read_is_waited_for)
{
    PAIR pair = pair_new();
    CLEANUP(freep) uint8_t *bytes = calloc(1, FRAME_BODY_MAX);
    const struct slice body = { bytes, FRAME_BODY_MAX };
    enum channel_result result = CHANNEL_OK;

    assert_non_null(bytes);
    for (int i = 0; i < 1000 && result == CHANNEL_OK; i++) {
        result = channel_send(pair.ours, FRAME_OPEN, 1, body, in_ms(SOON_MS));
    }
    assert_int_equal(result, CHANNEL_LATE);
    struct frame *frame = NULL;
    while (channel_receive(pair.theirs, 0, in_ms(SOON_MS), &frame) == CHANNEL_OK) {
        assert_int_equal(frame->body.len, FRAME_BODY_MAX);
        frame_freep(&frame);
    }
    assert_int_equal(channel_send(pair.ours, FRAME_CHECK, 1, SLICE(""), in_ms(SOON_MS)), CHANNEL_OK);
    assert_received(pair.theirs, 0, FRAME_CHECK, "");
}

TEST(a_message_that_is_too_long_ends_the_channel)
{
    PAIR pair = pair_new();
    CLEANUP(freep) uint8_t *bytes = calloc(1, FRAME_BODY_MAX + 1);
    struct frame *frame = NULL;

    assert_non_null(bytes);
    const struct slice longest = { bytes, FRAME_BODY_MAX };
    assert_int_equal(channel_send(pair.theirs, FRAME_LOG, 1, longest, in_ms(LONG_MS)), CHANNEL_OK);
    assert_int_equal(channel_receive(pair.ours, 1, in_ms(LONG_MS), &frame), CHANNEL_OK);
    assert_int_equal(frame->body.len, FRAME_BODY_MAX);
    frame_freep(&frame);
    const struct slice longer = { bytes, FRAME_BODY_MAX + 1 };
    assert_int_equal(channel_send(pair.theirs, FRAME_LOG, 1, longer, in_ms(LONG_MS)), CHANNEL_OK);
    assert_int_equal(channel_receive(pair.ours, 1, in_ms(LONG_MS), &frame), CHANNEL_GONE);
}

static void *accept_one(void *context)
{
    struct waiting *waiting = context;
    struct frame *frame = NULL;

    waiting->result = channel_accept(waiting->channel, &frame);
    waiting->wanted = waiting->result == CHANNEL_OK ? frame->exchange : 0;
    frame_free(frame);
    return NULL;
}

static void begin_accept(struct waiting *waiting, struct channel *channel)
{
    *waiting = (struct waiting){ .channel = channel };
    assert_int_equal(pthread_create(&waiting->thread, NULL, accept_one, waiting), 0);
}

/* A request goes to one of those who accept, an answer past them to the one that asked. */
TEST(those_who_accept_read_for_those_who_wait)
{
    PAIR pair = pair_new();
    struct waiting free_ones[CALLERS];
    struct waiting asker;
    uint32_t sum = 0;

    for (size_t i = 0; i < CALLERS; i++) {
        begin_accept(&free_ones[i], pair.theirs);
    }
    sleep_ms(SOON_MS);
    begin(&asker, pair.theirs, 1000, in_ms(LONG_MS));
    sleep_ms(SOON_MS);
    assert_int_equal(channel_send(pair.ours, FRAME_PIN, 1000, SLICE("1234"), in_ms(LONG_MS)), CHANNEL_OK);
    assert_int_equal(end(&asker), CHANNEL_OK);
    for (uint32_t i = 1; i <= CALLERS; i++) {
        assert_int_equal(channel_send(pair.ours, FRAME_SIGN, i, SLICE("x"), in_ms(LONG_MS)), CHANNEL_OK);
    }
    for (size_t i = 0; i < CALLERS; i++) {
        assert_int_equal(end(&free_ones[i]), CHANNEL_OK);
        sum += free_ones[i].wanted;
    }
    assert_int_equal(sum, CALLERS * (CALLERS + 1) / 2); /* each has one, none has another's */
}

static void assert_nobody_accepts_after(void (*how)(struct pair *pair))
{
    PAIR pair = pair_new();
    struct waiting waiting[CALLERS];
    struct waiting asker;

    for (size_t i = 0; i < CALLERS; i++) {
        begin_accept(&waiting[i], pair.ours);
    }
    sleep_ms(SOON_MS);
    begin(&asker, pair.ours, 1, CHANNEL_NO_DEADLINE);
    how(&pair);
    for (size_t i = 0; i < CALLERS; i++) {
        assert_int_equal(end(&waiting[i]), CHANNEL_GONE);
    }
    assert_int_equal(end(&asker), CHANNEL_GONE);
}

TEST(nobody_accepts_from_an_end_that_is_gone)
{
    assert_nobody_accepts_after(shut_ours);
    assert_nobody_accepts_after(close_theirs);
    assert_nobody_accepts_after(send_nonsense);
}

/* The peer: several threads, each takes a request, says a few things and answers with what it was asked. */
static void *answer_all(void *context)
{
    struct channel *channel = context;
    struct frame *asked = NULL;

    while (channel_accept(channel, &asked) == CHANNEL_OK) {
        for (uint8_t i = 0; i < LOGS; i++) {
            (void)channel_send(
                channel, FRAME_LOG, asked->exchange, (struct slice){ &i, 1 }, CHANNEL_NO_DEADLINE);
        }
        (void)channel_send(
            channel, FRAME_SIGNED, asked->exchange, buf_slice(&asked->body), CHANNEL_NO_DEADLINE);
        frame_freep(&asked);
    }
    return NULL;
}

static atomic_uint n_wrong;
static atomic_uint next_exchange;

static bool is_answered(struct channel *channel, uint32_t exchange)
{
    for (uint8_t i = 0; i <= LOGS; i++) {
        CLEANUP(frame_freep) struct frame *frame = NULL;

        if (channel_receive(channel, exchange, in_ms(LONG_MS), &frame) != CHANNEL_OK) {
            return false;
        }
        bool is_good = i < LOGS ? frame->type == FRAME_LOG && frame->body.len == 1 && frame->body.data[0] == i
                                : frame->type == FRAME_SIGNED && frame->body.len == sizeof(exchange) &&
                                      memcmp(frame->body.data, &exchange, sizeof(exchange)) == 0;
        if (!is_good) {
            return false;
        }
    }
    return true;
}

static void *ask_often(void *context)
{
    struct channel *channel = context;

    for (int round = 0; round < ROUNDS; round++) {
        uint32_t exchange = atomic_fetch_add(&next_exchange, 1) + 1;
        const struct slice body = { (const uint8_t *)&exchange, sizeof(exchange) };

        if (channel_send(channel, FRAME_SIGN, exchange, body, in_ms(LONG_MS)) != CHANNEL_OK ||
            !is_answered(channel, exchange)) {
            atomic_fetch_add(&n_wrong, 1);
        }
    }
    return NULL;
}

TEST(each_of_many_threads_gets_its_own_answers_in_their_order)
{
    PAIR pair = pair_new();
    pthread_t callers[CALLERS];
    pthread_t peers[CALLERS / 2];

    atomic_store(&n_wrong, 0);
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        assert_int_equal(pthread_create(&peers[i], NULL, answer_all, pair.theirs), 0);
    }
    for (size_t i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_create(&callers[i], NULL, ask_often, pair.ours), 0);
    }
    for (size_t i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_join(callers[i], NULL), 0);
    }
    channel_shut(pair.ours);
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        assert_int_equal(pthread_join(peers[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&n_wrong), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_fine),
        cmocka_unit_test(a_channel_owns_its_descriptor),
        cmocka_unit_test(frames_go_both_ways),
        cmocka_unit_test(a_frame_for_another_exchange_stays),
        cmocka_unit_test(a_deadline_holds_for_whoever_reads),
        cmocka_unit_test(the_readers_place_is_handed_on_at_a_deadline),
        cmocka_unit_test(a_deadline_holds_for_those_who_do_not_read),
        cmocka_unit_test(everybody_is_let_go_when_it_is_shut),
        cmocka_unit_test(everybody_is_let_go_when_the_other_end_is_gone),
        cmocka_unit_test(everybody_is_let_go_when_what_comes_is_no_frame),
        cmocka_unit_test(what_came_before_the_end_is_received),
        cmocka_unit_test(a_peer_that_does_not_read_is_waited_for),
        cmocka_unit_test(a_message_that_is_too_long_ends_the_channel),
        cmocka_unit_test(those_who_accept_read_for_those_who_wait),
        cmocka_unit_test(nobody_accepts_from_an_end_that_is_gone),
        cmocka_unit_test(each_of_many_threads_gets_its_own_answers_in_their_order),
    };

    return RUN_TESTS(tests);
}
