/* SPDX-License-Identifier: Apache-2.0 */
/* Of holders and requests only the addresses count. */
#include "unit.h"

#include <stdlib.h>

#include "agent/job_queue.h"
#include "base/error.h"

struct holder {
    int n_users;
};

enum { GREEDY = 1001, MODEST = 1002, N_HOLDERS = 16 };

static struct holder holders[N_HOLDERS];

struct holder *__wrap_holder_share(struct holder *holder);
void __wrap_holder_freep(struct holder **holder);

struct holder *__wrap_holder_share(struct holder *holder)
{
    holder->n_users++;
    return holder;
}

void __wrap_holder_freep(struct holder **holder)
{
    (*holder)->n_users--;
    *holder = NULL;
}

static struct job *try(struct job_queue *queue, size_t holder, uid_t uid, unsigned int min_valid_s)
{
    const struct wish wish = { .scope = "s", .min_valid_s = min_valid_s };
    struct job *job = NULL;
    const enum keystay_status status = job_queue_add(queue, &holders[holder], &wish, uid, &job, NULL);

    assert_true(status == KEYSTAY_OK || (status == KEYSTAY_E_THROTTLED && job == NULL));
    return job;
}

static struct job *add(struct job_queue *queue, size_t holder, uid_t uid, unsigned int min_valid_s)
{
    struct job *job = try(queue, holder, uid, min_valid_s);

    assert_non_null(job);
    return job;
}

static void join(struct job *job, struct waiter *waiter)
{
    waiter->next = job->waiters;
    job->waiters = waiter;
    job->is_for_callers = true;
}

static size_t begin_all(struct job_queue *queue)
{
    size_t n = 0;

    while (job_queue_next(queue) != NULL) {
        n++;
    }
    return n;
}

static void over(struct job_queue *queue)
{
    while (queue->queued.first != NULL) {
        job_queue_remove(queue, queue->queued.first);
    }
    while (queue->running.first != NULL) {
        struct job *job = queue->running.first;

        job_queue_end(queue, job);
        job_free(job);
    }
    assert_int_equal(queue->queued.n + queue->running.n, 0);
    for (size_t i = 0; i < N_HOLDERS; i++) {
        assert_int_equal(holders[i].n_users, 0);
    }
}

TEST(one_users_come_in_their_order)
{
    struct job_queue queue = { 0 };
    struct job *first = add(&queue, 0, MODEST, 1);
    struct job *second = add(&queue, 0, MODEST, 2);

    assert_int_equal(job_queue_count_ready(&queue, 10), 2);
    assert_int_equal(job_queue_count_ready(&queue, 1), 1);
    assert_ptr_equal(job_queue_next(&queue), first);
    assert_ptr_equal(job_queue_next(&queue), second);
    assert_null(job_queue_next(&queue));
    assert_int_equal(job_queue_count_ready(&queue, 10), 0);
    over(&queue);
}

TEST(what_does_too_is_found_whether_it_waits_or_runs)
{
    const struct wish wish = { .scope = "s", .min_valid_s = 1 };
    const struct wish assertion = { .is_assertion = true };
    struct job_queue queue = { 0 };
    struct job *job = add(&queue, 0, MODEST, 1);
    struct job *made = NULL;

    assert_ptr_equal(job_queue_find(&queue, &holders[0], &wish), job);
    assert_null(job_queue_find(&queue, &holders[1], &wish));
    assert_ptr_equal(job_queue_next(&queue), job);
    assert_ptr_equal(job_queue_find(&queue, &holders[0], &wish), job);
    assert_ok(job_queue_add(&queue, &holders[0], &assertion, MODEST, &made, NULL));
    assert_null(job_queue_find(&queue, &holders[0], &assertion));
    job_queue_end(&queue, job);
    job_free(job);
    assert_null(job_queue_find(&queue, &holders[0], &wish));
    over(&queue);
}

TEST(who_has_least_running_is_next)
{
    struct job_queue queue = { 0 };

    for (unsigned int i = 0; i < 100; i++) {
        (void)add(&queue, 0, GREEDY, i);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(job_queue_next(&queue)->uid, GREEDY);
    }
    (void)add(&queue, 0, MODEST, 100);
    (void)add(&queue, 0, MODEST, 101);
    assert_int_equal(job_queue_next(&queue)->uid, MODEST);
    assert_int_equal(job_queue_next(&queue)->uid, MODEST);
    assert_int_equal(job_queue_next(&queue)->uid, GREEDY);
    over(&queue);
}

/* What counts is the same holder: whom another one keeps waiting is not kept waiting here too. */
TEST(what_hangs_elsewhere_does_not_count)
{
    struct job_queue queue = { 0 };

    for (unsigned int i = 0; i < 3; i++) {
        (void)add(&queue, 1, MODEST, i);
    }
    (void)add(&queue, 0, GREEDY, 0);
    assert_int_equal(begin_all(&queue), 4);
    (void)add(&queue, 0, GREEDY, 1);
    struct job *wanted = add(&queue, 0, MODEST, 2);
    assert_ptr_equal(job_queue_next(&queue), wanted);
    over(&queue);
}

TEST(how_many_run_at_once)
{
    struct job_queue queue = { 0 };

    for (unsigned int i = 0; i < 100; i++) {
        (void)add(&queue, 0, GREEDY, i);
    }
    assert_int_equal(begin_all(&queue), JOBS_OF_ONE_USER_THERE_MAX);
    assert_int_equal(job_queue_count_ready(&queue, 100), 0);
    for (unsigned int i = 0; i < 100; i++) {
        (void)add(&queue, 0, MODEST, 1000 + i);
    }
    assert_int_equal(begin_all(&queue), JOBS_OF_ONE_HOLDER_MAX - JOBS_OF_ONE_USER_THERE_MAX);
    over(&queue);

    for (unsigned int i = 0; i < 100; i++) {
        (void)add(&queue, i % N_HOLDERS, GREEDY, i);
    }
    assert_int_equal(begin_all(&queue), JOBS_OF_ONE_USER_MAX);
    (void)add(&queue, 0, MODEST, 1000);
    assert_int_equal(begin_all(&queue), 1);
    over(&queue);
}

TEST(how_many_wait)
{
    struct job_queue queue = { 0 };
    unsigned int n = 0;
    uid_t uid = 2000;

    while (try(&queue, 0, GREEDY, n) != NULL) {
        n++;
    }
    assert_int_equal(n, JOBS_QUEUED_OF_ONE_USER_MAX);
    assert_null(try(&queue, 1, GREEDY, 0)); /* nor of another holder */
    for (; try(&queue, 0, uid, n) != NULL; uid++) {
        n++;
    }
    assert_int_equal(n, JOBS_QUEUED_OF_ONE_HOLDER_MAX);
    for (size_t i = 1; i < N_HOLDERS; i++) {
        for (; try(&queue, i, uid, n) != NULL; uid++) {
            n++;
        }
    }
    assert_int_equal(n, JOBS_QUEUED_MAX);
    over(&queue);
}

TEST(a_job_is_begun_for_whoevers_turn_comes_first)
{
    struct job_queue queue = { 0 };
    struct waiter first = { .uid = GREEDY };
    struct waiter second = { .uid = MODEST };
    struct waiter third = { .uid = GREEDY };
    struct job *last = NULL;

    for (unsigned int i = 0; i < 100; i++) {
        last = add(&queue, 0, GREEDY, i);
    }
    join(last, &first);
    assert_int_equal(begin_all(&queue), JOBS_OF_ONE_USER_THERE_MAX);
    join(last, &second);
    join(last, &third); /* whoever joins later cannot make it his own again */
    assert_int_equal(job_queue_count_ready(&queue, 100), 1);
    assert_ptr_equal(job_queue_next(&queue), last);
    assert_int_equal(last->uid, MODEST);
    assert_null(job_queue_next(&queue));
    over(&queue);
}

TEST(what_nobody_waits_for_is_of_a_user_of_its_own)
{
    struct job_queue queue = { 0 };

    for (unsigned int i = 0; i < 100; i++) {
        (void)add(&queue, 0, JOB_NOBODYS, i);
    }
    (void)begin_all(&queue);
    struct job *wanted = add(&queue, 0, MODEST, 1000);
    assert_ptr_equal(job_queue_next(&queue), wanted);
    over(&queue);
}

TEST(what_nobody_waits_for_any_more_may_always_go)
{
    struct job_queue queue = { 0 };
    struct job *last = NULL;

    for (unsigned int i = 0; i < 100; i++) {
        last = add(&queue, 0, GREEDY, i);
    }
    (void)begin_all(&queue);
    assert_false(job_is_unwanted(last));
    last->is_for_callers = true;
    assert_true(job_is_unwanted(last));
    assert_int_equal(job_queue_count_ready(&queue, 100), 1);
    assert_ptr_equal(job_queue_next(&queue), last);
    over(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_users_come_in_their_order),
        cmocka_unit_test(what_does_too_is_found_whether_it_waits_or_runs),
        cmocka_unit_test(who_has_least_running_is_next),
        cmocka_unit_test(what_hangs_elsewhere_does_not_count),
        cmocka_unit_test(how_many_run_at_once),
        cmocka_unit_test(how_many_wait),
        cmocka_unit_test(a_job_is_begun_for_whoevers_turn_comes_first),
        cmocka_unit_test(what_nobody_waits_for_is_of_a_user_of_its_own),
        cmocka_unit_test(what_nobody_waits_for_any_more_may_always_go),
    };

    return RUN_TESTS(tests);
}
