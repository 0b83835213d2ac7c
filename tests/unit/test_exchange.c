/* SPDX-License-Identifier: Apache-2.0 */
/* One request; the process is a thread at the other end of its socket. */
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "pkcs11/isolated/exchange.h"
#include "scratch.h"

enum { SHORT_MS = 300, PATIENCE_MS = 400, QUESTION_MS = 500, LONG_MS = 20000 };

/* A process of which there is only the socket, and what it does with a request. */
struct scene {
    struct host *host;
    struct process process;
    struct channel *theirs;
    void (*act)(struct channel *channel, uint32_t exchange);
    pthread_t actor;
    struct exchange_party party;
    enum keystay_status asked; /* what the party says when it is asked for the PIN */
    int n_asked;
    int n_slow;
};

static void *play(void *context)
{
    struct scene *scene = context;
    struct frame *request = NULL;

    if (channel_receive(scene->theirs, 0, CHANNEL_NO_DEADLINE, &request) == CHANNEL_OK) {
        scene->act(scene->theirs, request->exchange);
        frame_free(request);
    }
    return NULL;
}

static enum keystay_status ask(
    void *context, const struct pin_question *question, struct secret *ret_pin, struct keystay_error *err)
{
    struct scene *scene = context;

    scene->n_asked++;
    assert_int_equal(question->timeout_ms, QUESTION_MS);
    assert_string_equal(question->where, "token 'a'");
    return scene->asked == KEYSTAY_OK ? secret_set(ret_pin, SLICE("1234"), err)
                                      : err_set(err, scene->asked, "nobody knows it");
}

static void note_slow(void *context, const char *call)
{
    ((struct scene *)context)->n_slow++;
    assert_string_equal(call, "C_Sign");
}

static void scene_begin(struct scene *scene, void (*act)(struct channel *channel, uint32_t exchange))
{
    static struct keystay_call_watch watch = { .slow = note_slow };
    const struct host_key key = { .program = "/nonexistent/keystay-signer", .module = "/m" };
    int ends[2];

    watch.context = scene;
    *scene = (struct scene){ .act = act, .process = { .pid = -1, .how = "signal 9" } };
    scene->party = (struct exchange_party){
        .ask = ask,
        .context = scene,
        .watch = &watch,
        .module = "/m",
        .timeout_ms = SHORT_MS,
        .question_ms = QUESTION_MS,
    };
    assert_ok(host_get(&key, &scene->host, NULL));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    (void)pthread_mutex_init(&scene->process.end_lock, NULL);
    scene->process.channel = channel_new(ends[0]);
    scene->theirs = channel_new(ends[1]);
    assert_int_equal(pthread_create(&scene->actor, NULL, play, scene), 0);
}

static void scene_end(struct scene *scene)
{
    channel_shut(scene->process.channel);
    assert_int_equal(pthread_join(scene->actor, NULL), 0);
    channel_free(scene->process.channel);
    channel_free(scene->theirs);
    (void)pthread_mutex_destroy(&scene->process.end_lock);
    host_drop(scene->host);
}

#define SCENE CLEANUP(scene_end) struct scene

static enum keystay_status run(
    struct scene *scene, struct exchange *exchange, int64_t within_ms, struct keystay_error *err)
{
    exchange->deadline_ms = clock_monotonic_ms() + within_ms;
    return exchange_run(exchange, scene->host, &scene->process, &scene->party, err);
}

static void say_done(struct channel *channel, uint32_t exchange)
{
    (void)channel_send(channel, FRAME_DONE, exchange, SLICE(""), CHANNEL_NO_DEADLINE);
}

static void say_nothing(struct channel *channel, uint32_t exchange)
{
    (void)channel;
    (void)exchange;
}

static void talk_for_ever(struct channel *channel, uint32_t exchange)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);

    log_encode(KEYSTAY_LOG_STEP, "still at it", &body);
    while (channel_send(channel, FRAME_LOG, exchange, buf_slice(&body), CHANNEL_NO_DEADLINE) == CHANNEL_OK) {
    }
}

static void say_slow_for_ever(struct channel *channel, uint32_t exchange)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);

    call_encode("C_Sign", &body);
    while (channel_send(channel, FRAME_SLOW, exchange, buf_slice(&body), CHANNEL_NO_DEADLINE) == CHANNEL_OK) {
    }
}

/* Asks, and answers with whether it was given the PIN. */
static void ask_and_sign(struct channel *channel, uint32_t exchange)
{
    CLEANUP(buf_clear) struct buf body = BUF(FRAME_BODY_MAX);
    CLEANUP(frame_freep) struct frame *answer = NULL;

    ask_encode(&(struct pin_question){ "token 'a'", "", 1, 0 }, &body);
    (void)channel_send(channel, FRAME_ASK_PIN, exchange, buf_slice(&body), CHANNEL_NO_DEADLINE);
    if (channel_receive(channel, exchange, CHANNEL_NO_DEADLINE, &answer) == CHANNEL_OK) {
        (void)channel_send(
            channel, answer->type == FRAME_PIN ? FRAME_SIGNED : FRAME_FAILED, exchange,
            buf_slice(&answer->body), CHANNEL_NO_DEADLINE);
    }
}

TEST(an_answer_is_handed_over)
{
    SCENE scene;
    struct exchange exchange = { .type = FRAME_CHECK };

    scene_begin(&scene, say_done);
    assert_ok(run(&scene, &exchange, LONG_MS, NULL));
    assert_int_equal(exchange.end, EXCHANGE_ANSWERED);
    assert_non_null(exchange.answer);
    assert_false(scene.process.is_done_with);
    frame_free(exchange.answer);
}

TEST(a_question_is_answered_with_the_pin)
{
    SCENE scene;
    struct exchange exchange = { .type = FRAME_SIGN };

    scene_begin(&scene, ask_and_sign);
    assert_ok(run(&scene, &exchange, LONG_MS, NULL));
    assert_true(exchange.was_pin_sent);
    assert_int_equal(scene.n_asked, 1);
    assert_true(slice_equal(buf_slice(&exchange.answer->body), SLICE("\0\0\0\0041234")));
    frame_free(exchange.answer);
}

TEST(why_there_is_no_pin_comes_back_as_it_was)
{
    SCENE scene;
    struct exchange exchange = { .type = FRAME_SIGN };
    struct keystay_error err;

    scene_begin(&scene, ask_and_sign);
    scene.asked = KEYSTAY_E_PIN_SOURCE;
    assert_int_equal(run(&scene, &exchange, LONG_MS, &err), KEYSTAY_E_PIN_SOURCE);
    assert_string_equal(err.message, "nobody knows it");
    assert_false(exchange.was_pin_sent);
    assert_int_equal(exchange.end, EXCHANGE_ANSWERED);
    assert_false(scene.process.is_done_with);
}

TEST(silence_ends_the_process_at_the_deadline)
{
    SCENE scene;
    struct exchange exchange = { .type = FRAME_CHECK };
    struct keystay_error err;

    scene_begin(&scene, say_nothing);
    assert_int_equal(run(&scene, &exchange, SHORT_MS, &err), KEYSTAY_E_MODULE_TIMEOUT);
    assert_int_equal(exchange.end, EXCHANGE_LATE);
    assert_true(scene.process.is_done_with);
    assert_contains(err.message, "did not return from its work");
}

/* Others may be in it to whom it answers: who comes too late has no right to end it. */
TEST(a_request_that_comes_too_late_is_not_made)
{
    SCENE scene;
    struct exchange exchange = { .type = FRAME_CHECK };
    struct keystay_error err;

    scene_begin(&scene, say_done);
    assert_int_equal(run(&scene, &exchange, -1, &err), KEYSTAY_E_MODULE_TIMEOUT);
    assert_int_equal(exchange.end, EXCHANGE_ANSWERED);
    assert_false(scene.process.is_done_with);
    assert_ok(run(&scene, &exchange, LONG_MS, NULL));
    frame_free(exchange.answer);
}

TEST(whoever_talks_for_ever_is_ended_at_the_deadline)
{
    SCENE scene;
    struct exchange exchange = { .type = FRAME_CHECK };
    int64_t started_ms = clock_monotonic_ms();

    scene_begin(&scene, talk_for_ever);
    assert_int_equal(run(&scene, &exchange, SHORT_MS, NULL), KEYSTAY_E_MODULE_TIMEOUT);
    assert_true(clock_monotonic_ms() - started_ms < LONG_MS);
    assert_true(scene.process.is_done_with);
}

/* A person gets time for a touch, once. */
TEST(patience_has_an_end)
{
    SCENE scene;
    struct exchange exchange = { .type = FRAME_SIGN };
    int64_t started_ms = clock_monotonic_ms();

    scene_begin(&scene, say_slow_for_ever);
    scene.party.patience_ms = PATIENCE_MS;
    assert_int_equal(run(&scene, &exchange, SHORT_MS, NULL), KEYSTAY_E_MODULE_TIMEOUT);
    int64_t lasted_ms = clock_monotonic_ms() - started_ms;
    assert_true(lasted_ms >= SHORT_MS + PATIENCE_MS && lasted_ms < LONG_MS);
    assert_string_equal(exchange.call, "C_Sign");
    assert_true(scene.n_slow > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_handed_over),
        cmocka_unit_test(a_question_is_answered_with_the_pin),
        cmocka_unit_test(why_there_is_no_pin_comes_back_as_it_was),
        cmocka_unit_test(silence_ends_the_process_at_the_deadline),
        cmocka_unit_test(a_request_that_comes_too_late_is_not_made),
        cmocka_unit_test(whoever_talks_for_ever_is_ended_at_the_deadline),
        cmocka_unit_test(patience_has_an_end),
    };

    return RUN_TESTS(tests);
}
