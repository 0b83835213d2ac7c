/* SPDX-License-Identifier: Apache-2.0 */
/* The holders are made up: each call of one ends when the test lets it. */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/job_queue.h"
#include "base/clock.h"
#include "base/error.h"
#include "oauth/access_token.h"
#include "scratch.h"

struct holder {
    atomic_int n_users, n_running, n_calls;
    atomic_bool is_shut; /* calls wait */
    enum keystay_status status;
};

struct request {
    atomic_int n_answers;
    enum keystay_status status;
    const struct peer *peer; /* NULL: some user */
};

enum keystay_status __wrap_holder_get(
    struct holder *holder, const struct wish *wish, struct keystay_token **ret_token,
    struct keystay_error *err);
struct holder *__wrap_holder_share(struct holder *holder);
void __wrap_holder_freep(struct holder **holder);
const char *__wrap_holder_name(const struct holder *holder);
const struct peer *__wrap_request_peer(const struct request *request);

enum keystay_status __wrap_holder_get(
    struct holder *holder, const struct wish *wish, struct keystay_token **ret_token,
    struct keystay_error *err)
{
    (void)wish;
    (void)atomic_fetch_add(&holder->n_calls, 1);
    (void)atomic_fetch_add(&holder->n_running, 1);
    wait_for(!atomic_load(&holder->is_shut));
    (void)atomic_fetch_sub(&holder->n_running, 1);
    return holder->status == KEYSTAY_OK ? token_new(ret_token, err)
                                        : err_set(err, holder->status, "it does not work");
}

struct holder *__wrap_holder_share(struct holder *holder)
{
    (void)atomic_fetch_add(&holder->n_users, 1);
    return holder;
}

void __wrap_holder_freep(struct holder **holder)
{
    (void)atomic_fetch_sub(&(*holder)->n_users, 1);
    *holder = NULL;
}

const char *__wrap_holder_name(const struct holder *holder)
{
    (void)holder;
    return "made-up";
}

const struct peer *__wrap_request_peer(const struct request *request)
{
    static const struct peer some = { .uid = 1000 };

    return request->peer != NULL ? request->peer : &some;
}

static void note(void *context, struct request *request, const struct outcome *outcome)
{
    (void)context;
    request->status = outcome->status;
    assert_true(outcome->status != KEYSTAY_OK || outcome->token != NULL);
    (void)atomic_fetch_add(&request->n_answers, 1);
}

static struct ear ear;

static struct jobs *jobs_begin(void)
{
    struct jobs *jobs = NULL;

    ear_init(&ear);
    assert_ok(jobs_new(note, NULL, &ear.log, &jobs, NULL));
    return jobs;
}

static void jobs_over(struct jobs *jobs)
{
    assert_true(jobs_end(jobs, clock_monotonic_ms() + 10000));
    jobs_freep(&jobs);
}

static enum keystay_status add(
    struct jobs *jobs, struct holder *holder, unsigned int min_valid_s, struct request *request,
    int64_t deadline_ms)
{
    const struct wish wish = { .scope = "s", .min_valid_s = min_valid_s };

    return jobs_add(jobs, holder, &wish, request, deadline_ms, NULL);
}

TEST(callers_who_want_the_same_share_one_job)
{
    struct jobs *jobs = jobs_begin();
    struct holder holder = { .is_shut = true };
    struct request requests[50] = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        assert_ok(add(jobs, &holder, 0, &requests[i], INT64_MAX));
    }
    wait_for(holder.n_running == 1);
    atomic_store(&holder.is_shut, false);
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        wait_for(requests[i].n_answers == 1);
        assert_int_equal(requests[i].n_answers, 1);
        assert_int_equal(requests[i].status, KEYSTAY_OK);
    }
    assert_int_equal(holder.n_calls, 1);
    jobs_over(jobs);
    assert_int_equal(holder.n_users, 0);
}

TEST(an_assertion_is_for_one_caller)
{
    struct jobs *jobs = jobs_begin();
    struct holder holder = { .is_shut = true };
    struct request requests[3] = { 0 };
    const struct wish wish = { .is_assertion = true };

    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        assert_ok(jobs_add(jobs, &holder, &wish, &requests[i], INT64_MAX, NULL));
    }
    wait_for(holder.n_running == 3);
    atomic_store(&holder.is_shut, false);
    wait_for(requests[0].n_answers + requests[1].n_answers + requests[2].n_answers == 3);
    assert_int_equal(holder.n_calls, 3);
    jobs_over(jobs);
}

/* The thread that is idle was woken for the first and cannot be there for the second. */
TEST(two_jobs_at_once_do_not_share_the_idle_thread)
{
    for (int i = 0; i < 50; i++) {
        struct jobs *jobs = jobs_begin();
        struct holder quick = { 0 };
        struct holder holders[2] = { { .is_shut = true }, { .is_shut = true } };
        struct request first = { 0 };

        assert_ok(add(jobs, &quick, 0, &first, INT64_MAX));
        wait_for(first.n_answers == 1);
        assert_ok(add(jobs, &holders[0], 0, NULL, 0));
        assert_ok(add(jobs, &holders[1], 0, NULL, 0));
        wait_for(holders[0].n_running == 1 && holders[1].n_running == 1);
        assert_int_equal(holders[0].n_running + holders[1].n_running, 2);
        atomic_store(&holders[0].is_shut, false);
        atomic_store(&holders[1].is_shut, false);
        jobs_over(jobs);
    }
}

static const struct peer greedy = { .uid = 1001 };
static const struct peer modest = { .uid = 1002 };

TEST(a_holder_that_hangs_leaves_threads_to_others)
{
    struct jobs *jobs = jobs_begin();
    struct holder slow = { .is_shut = true };
    struct holder other = { 0 };
    struct request requests[50] = { 0 };
    struct request request = { 0 };

    for (unsigned int i = 0; i < 50; i++) {
        requests[i].peer = i % 2 == 0 ? &greedy : &modest;
        assert_ok(add(jobs, &slow, i, &requests[i], INT64_MAX));
    }
    wait_for(slow.n_running == JOBS_OF_ONE_HOLDER_MAX);
    assert_ok(add(jobs, &other, 0, &request, INT64_MAX));
    wait_for(request.n_answers == 1);
    assert_int_equal(request.n_answers, 1);
    assert_int_equal(slow.n_running, JOBS_OF_ONE_HOLDER_MAX);
    atomic_store(&slow.is_shut, false);
    wait_for(slow.n_calls == 50);
    assert_int_equal(slow.n_calls, 50);
    jobs_over(jobs);
    assert_int_equal(slow.n_users, 0);
}

TEST(a_user_who_wants_hundreds_of_things_leaves_a_thread_to_others)
{
    struct jobs *jobs = jobs_begin();
    struct holder holder = { .is_shut = true };
    struct request many[400] = { 0 };
    struct request one = { .peer = &modest };

    for (unsigned int i = 0; i < ARRAY_LEN(many); i++) {
        many[i].peer = &greedy;
        assert_ok(add(jobs, &holder, i, &many[i], INT64_MAX));
    }
    wait_for(holder.n_running == JOBS_OF_ONE_USER_THERE_MAX);
    assert_ok(add(jobs, &holder, 1000000, &one, INT64_MAX));
    wait_for(holder.n_running == JOBS_OF_ONE_USER_THERE_MAX + 1);
    assert_int_equal(holder.n_running, JOBS_OF_ONE_USER_THERE_MAX + 1);
    atomic_store(&holder.is_shut, false);
    wait_for(holder.n_calls == ARRAY_LEN(many) + 1);
    jobs_over(jobs);
    assert_int_equal(one.n_answers, 1);
}

/* It was queued when all that its first waiter may have was in use. */
TEST(nor_does_it_hold_up_who_wants_the_same)
{
    struct jobs *jobs = jobs_begin();
    struct holder holder = { .is_shut = true };
    struct request many[400] = { 0 };
    struct request one = { .peer = &modest };

    for (unsigned int i = 0; i < ARRAY_LEN(many); i++) {
        many[i].peer = &greedy;
        assert_ok(add(jobs, &holder, i, &many[i], INT64_MAX));
    }
    wait_for(holder.n_running == JOBS_OF_ONE_USER_THERE_MAX);
    assert_ok(add(jobs, &holder, ARRAY_LEN(many) - 1, &one, INT64_MAX));
    wait_for(holder.n_running == JOBS_OF_ONE_USER_THERE_MAX + 1);
    assert_int_equal(holder.n_running, JOBS_OF_ONE_USER_THERE_MAX + 1);
    atomic_store(&holder.is_shut, false);
    wait_for(holder.n_calls == ARRAY_LEN(many));
    jobs_over(jobs);
    assert_int_equal(one.n_answers, 1);
    assert_int_equal(holder.n_calls, ARRAY_LEN(many));
}

TEST(what_is_too_much_is_answered_by_who_asked)
{
    struct jobs *jobs = jobs_begin();
    struct holder holder = { .is_shut = true };
    struct request many = { .peer = &greedy };
    struct request one = { .peer = &modest };
    const unsigned int max = JOBS_QUEUED_OF_ONE_USER_MAX + JOBS_OF_ONE_USER_THERE_MAX;
    unsigned int n = 0;

    while (n <= max && add(jobs, &holder, n, &many, INT64_MAX) == KEYSTAY_OK) {
        n++;
    }
    assert_in_range(n, JOBS_QUEUED_OF_ONE_USER_MAX, max);
    wait_for(holder.n_running == JOBS_OF_ONE_USER_THERE_MAX); /* threads that were slow to start make room */
    while (add(jobs, &holder, n, &many, INT64_MAX) == KEYSTAY_OK) {
        n++;
    }
    assert_int_equal(n, max);
    assert_int_equal(add(jobs, &holder, max, &many, INT64_MAX), KEYSTAY_E_THROTTLED);
    assert_int_equal(many.n_answers, 0);
    assert_ok(add(jobs, &holder, max, &one, INT64_MAX));
    atomic_store(&holder.is_shut, false);
    wait_for(one.n_answers == 1);
    jobs_over(jobs);
    assert_int_equal(many.n_answers, max);
}

TEST(whoever_waits_too_long_is_told_and_the_work_goes_on)
{
    struct jobs *jobs = jobs_begin();
    struct holder holder = { .is_shut = true, .status = KEYSTAY_E_NETWORK };
    struct request early = { 0 };
    struct request late = { 0 };

    assert_ok(add(jobs, &holder, 0, &early, 1000));
    assert_ok(add(jobs, &holder, 0, &late, 2000));
    wait_for(holder.n_running == 1);
    jobs_tick(jobs, 999);
    assert_int_equal(early.n_answers, 0);
    jobs_tick(jobs, 1000);
    assert_int_equal(early.n_answers, 1);
    assert_int_equal(early.status, KEYSTAY_E_TIMEOUT);
    assert_int_equal(late.n_answers, 0);
    jobs_tick(jobs, 2000);
    assert_int_equal(late.n_answers, 1);
    assert_int_equal(holder.n_running, 1);
    atomic_store(&holder.is_shut, false);
    jobs_over(jobs);
    assert_int_equal(early.n_answers + late.n_answers, 2);
    assert_contains(ear.last, "nobody waits for it any more");
}

TEST(what_nobody_waits_for_any_more_is_not_begun)
{
    struct jobs *jobs = jobs_begin();
    struct holder holder = { .is_shut = true };
    struct request requests[20] = { 0 };

    for (unsigned int i = 0; i < 20; i++) {
        assert_ok(add(jobs, &holder, i, &requests[i], 1000));
    }
    wait_for(holder.n_running == JOBS_OF_ONE_USER_THERE_MAX);
    jobs_tick(jobs, 1000);
    wait_for(holder.n_users == JOBS_OF_ONE_USER_THERE_MAX);
    assert_int_equal(holder.n_users, JOBS_OF_ONE_USER_THERE_MAX);
    atomic_store(&holder.is_shut, false);
    jobs_over(jobs);
    assert_int_equal(holder.n_calls, JOBS_OF_ONE_USER_THERE_MAX);
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        assert_int_equal(requests[i].n_answers, 1);
    }
}

TEST(a_renewal_that_fails_is_logged)
{
    struct jobs *jobs = jobs_begin();
    struct holder holder = { .status = KEYSTAY_E_NETWORK };

    assert_ok(add(jobs, &holder, 0, NULL, 0));
    wait_for(ear.n_warnings == 1);
    jobs_over(jobs);
    assert_contains(ear.last, "ahead of need (network): it does not work");
}

TEST(at_the_end_all_are_answered_and_nothing_new_is_taken)
{
    struct jobs *jobs = jobs_begin();
    struct holder holder = { .is_shut = true };
    struct request requests[20] = { 0 };

    for (unsigned int i = 0; i < 20; i++) {
        assert_ok(add(jobs, &holder, i, &requests[i], INT64_MAX - 1));
    }
    wait_for(holder.n_running == JOBS_OF_ONE_USER_THERE_MAX);
    assert_false(jobs_end(jobs, clock_monotonic_ms() + 50)); /* some of it does not end */
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        assert_int_equal(requests[i].n_answers, 1);
        assert_int_equal(requests[i].status, KEYSTAY_E_SERVER_DOWN);
    }
    assert_int_equal(add(jobs, &holder, 99, &requests[0], 0), KEYSTAY_E_SERVER_DOWN);
    atomic_store(&holder.is_shut, false);
    jobs_over(jobs);
    assert_int_equal(requests[0].n_answers, 1);
    assert_int_equal(holder.n_users, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callers_who_want_the_same_share_one_job),
        cmocka_unit_test(an_assertion_is_for_one_caller),
        cmocka_unit_test(two_jobs_at_once_do_not_share_the_idle_thread),
        cmocka_unit_test(a_holder_that_hangs_leaves_threads_to_others),
        cmocka_unit_test(a_user_who_wants_hundreds_of_things_leaves_a_thread_to_others),
        cmocka_unit_test(nor_does_it_hold_up_who_wants_the_same),
        cmocka_unit_test(what_is_too_much_is_answered_by_who_asked),
        cmocka_unit_test(whoever_waits_too_long_is_told_and_the_work_goes_on),
        cmocka_unit_test(what_nobody_waits_for_any_more_is_not_begun),
        cmocka_unit_test(a_renewal_that_fails_is_logged),
        cmocka_unit_test(at_the_end_all_are_answered_and_nothing_new_is_taken),
    };

    return RUN_TESTS(tests);
}
