/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "core/flight.h"
#include "scratch.h"

enum { THREADS = 16 };

static _Atomic int64_t now_ms;

static int64_t fake_now_ms(void)
{
    return atomic_load(&now_ms);
}

/* What a flight does, and how often it was done. */
struct work {
    struct flights *flights;
    struct cache_key key;
    enum keystay_status status;
    atomic_int n_done;
    atomic_int n_started;
    atomic_bool may_end;
};

static enum keystay_status do_work(void *context, struct keystay_token **ret_token, struct keystay_error *err)
{
    struct work *work = context;

    atomic_fetch_add(&work->n_started, 1);
    wait_for(atomic_load(&work->may_end));
    int n = atomic_fetch_add(&work->n_done, 1);
    if (work->status != KEYSTAY_OK) {
        return err_set(err, work->status, "failure number %d", n);
    }
    assert_ok(token_new(ret_token, NULL));
    (*ret_token)->expires_at_s = n;
    return KEYSTAY_OK;
}

static void work_init(struct work *work, const char *name)
{
    const char *const parts[] = { name };

    *work = (struct work){ .status = KEYSTAY_OK };
    atomic_store(&work->may_end, true);
    assert_ok(flights_new(fake_now_ms, &work->flights, NULL));
    assert_ok(cache_key_make(NULL, parts, 1, &work->key, NULL));
}

static void work_clear(struct work *work)
{
    flights_freep(&work->flights);
    cache_key_clear(&work->key);
}

static enum keystay_status run(struct work *work, struct keystay_token **token, struct keystay_error *err)
{
    return flight_run(work->flights, &work->key, do_work, work, token, err);
}

TEST(freeing_nothing_is_fine)
{
    struct flights *flights = NULL;

    flights_freep(&flights);
}

TEST(a_token_is_handed_out_once_a_flight)
{
    CLEANUP(work_clear) struct work work;

    work_init(&work, "a");
    for (int i = 0; i < 3; i++) {
        CLEANUP(token_freep) struct keystay_token *token = NULL;
        assert_ok(run(&work, &token, NULL));
        assert_int_equal(token->expires_at_s, i); /* a success does not stay: the cache has it */
    }
}

TEST(an_error_stays_for_a_second)
{
    CLEANUP(work_clear) struct work work;
    struct keystay_token *token = NULL;
    struct keystay_error err;
    static const struct {
        int64_t at_ms;
        const char *message;
    } rows[] = {
        { 0, "failure number 0" },    { 999, "failure number 0" },  { 1000, "failure number 1" },
        { 1999, "failure number 1" }, { 2000, "failure number 2" },
    };

    work_init(&work, "a");
    work.status = KEYSTAY_E_SERVER_DOWN;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        atomic_store(&now_ms, rows[i].at_ms);
        assert_int_equal(run(&work, &token, &err), KEYSTAY_E_SERVER_DOWN);
        assert_string_equal(err.message, rows[i].message);
        assert_int_equal(run(&work, &token, NULL), KEYSTAY_E_SERVER_DOWN);
    }
    assert_null(token);
}

TEST(another_key_flies_on_its_own)
{
    CLEANUP(work_clear) struct work work;
    CLEANUP(cache_key_clear) struct cache_key other = { 0 };
    const char *const parts[] = { "b" };
    struct keystay_token *token = NULL;

    atomic_store(&now_ms, 0);
    work_init(&work, "a");
    assert_ok(cache_key_make(NULL, parts, 1, &other, NULL));
    work.status = KEYSTAY_E_NETWORK;
    assert_int_equal(run(&work, &token, NULL), KEYSTAY_E_NETWORK);
    work.status = KEYSTAY_OK;
    assert_ok(flight_run(work.flights, &other, do_work, &work, &token, NULL));
    token_freep(&token);
    assert_int_equal(run(&work, &token, NULL), KEYSTAY_E_NETWORK);
}

struct caller {
    struct work *work;
    struct keystay_token *token;
    struct keystay_error error;
    enum keystay_status status;
};

static void *call(void *context)
{
    struct caller *caller = context;

    caller->status = run(caller->work, &caller->token, &caller->error);
    return NULL;
}

static void call_all(struct work *work, struct caller callers[THREADS])
{
    pthread_t threads[THREADS];

    atomic_store(&work->may_end, false);
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){ .work = work };
        assert_int_equal(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
    }
    wait_for(atomic_load(&work->n_started) > 0);
    sleep_ms(50); /* for the others to get to their wait; those who do not are late, and no failure */
    atomic_store(&work->may_end, true);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

TEST(all_who_wait_get_the_same_token)
{
    CLEANUP(work_clear) struct work work;
    struct caller callers[THREADS];

    work_init(&work, "a");
    call_all(&work, callers);
    int n_done = atomic_load(&work.n_done);
    assert_in_range(n_done, 1, THREADS);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(callers[i].status, KEYSTAY_OK);
        keystay_token_free(callers[i].token);
    }
}

TEST(all_who_wait_or_come_behind_get_the_same_error)
{
    CLEANUP(work_clear) struct work work;
    struct caller callers[THREADS];

    atomic_store(&now_ms, 0);
    work_init(&work, "a");
    work.status = KEYSTAY_E_MODULE;
    call_all(&work, callers);
    assert_int_equal(atomic_load(&work.n_done), 1);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(callers[i].status, KEYSTAY_E_MODULE);
        assert_string_equal(callers[i].error.message, "failure number 0");
        assert_null(callers[i].token);
    }
}

TEST(an_error_that_was_acted_on_does_not_stay)
{
    CLEANUP(work_clear) struct work work;
    struct keystay_token *token = NULL;

    atomic_store(&now_ms, 0);
    work_init(&work, "a");
    work.status = KEYSTAY_E_PIN_SOURCE;
    assert_int_equal(run(&work, &token, NULL), KEYSTAY_E_PIN_SOURCE);
    assert_int_equal(run(&work, &token, NULL), KEYSTAY_E_PIN_SOURCE);
    assert_int_equal(atomic_load(&work.n_done), 1);
    flights_forgive(work.flights);
    work.status = KEYSTAY_OK;
    assert_ok(run(&work, &token, NULL));
    keystay_token_free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(a_token_is_handed_out_once_a_flight),
        cmocka_unit_test(an_error_stays_for_a_second),
        cmocka_unit_test(another_key_flies_on_its_own),
        cmocka_unit_test(all_who_wait_get_the_same_token),
        cmocka_unit_test(all_who_wait_or_come_behind_get_the_same_error),
        cmocka_unit_test(an_error_that_was_acted_on_does_not_stay),
    };

    return RUN_TESTS(tests);
}
