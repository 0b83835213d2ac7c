/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_module.h"

#include <pthread.h>
#include <stdatomic.h>

#include "pkcs11/cryptoki/pool.h"
#include "scratch.h"

/* In place of module.c's own: the fake module was never opened by it (--wrap). */
static bool is_single_threaded;
bool __wrap_module_is_single_threaded(const struct p11_module *module);
bool __wrap_module_is_single_threaded(const struct p11_module *module)
{
    (void)module;
    return is_single_threaded;
}

/* Static: a thread that hangs outlives its test. */
static struct session_pool pool;
static struct p11_module module;

static enum keystay_status start(size_t max, CK_ULONG token_max, struct keystay_error *err)
{
    const struct p11_token token = { .slot = 5, .info.ulMaxSessionCount = token_max };

    return pool_start(&pool, &module, &token, "token 'fake'", max, err);
}

static int set_up(void **state)
{
    (void)state;
    module = fake_reset();
    is_single_threaded = false;
    pool_init(&pool);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pool_clear(&pool);
    return 0;
}

static CK_SESSION_HANDLE take(void)
{
    CK_SESSION_HANDLE session = 0;

    assert_ok(pool_take(&pool, &session, NULL));
    assert_true(fake.is_open[session]);
    return session;
}

/* A thread that takes one session; finished says that pool_take has returned. */
struct taker {
    pthread_t thread;
    CK_SESSION_HANDLE session;
    enum keystay_status status;
    atomic_bool is_started, is_finished;
};

static void *take_one(void *context)
{
    struct taker *taker = context;

    atomic_store(&taker->is_started, true);
    taker->status = pool_take(&pool, &taker->session, NULL);
    atomic_store(&taker->is_finished, true);
    return NULL;
}

/* Afterwards it is inside pool_take, waiting, as far as that can be seen from outside. */
static void taker_start(struct taker *taker)
{
    *taker = (struct taker){ .status = KEYSTAY_E_INTERNAL };
    assert_int_equal(pthread_create(&taker->thread, NULL, take_one, taker), 0);
    wait_for(atomic_load(&taker->is_started));
    sleep_ms(50);
}

TEST(a_first_session_that_cannot_be_opened_is_an_error)
{
    struct keystay_error err;

    fake.n_opens_good = 0;
    fake.open_rv = CKR_TOKEN_NOT_PRESENT;
    assert_int_equal(start(4, 0, &err), KEYSTAY_E_MODULE);
    assert_int_equal(err.ck_rv, CKR_TOKEN_NOT_PRESENT);
    assert_string_equal(err.message, "token 'fake': C_OpenSession failed: CKR_TOKEN_NOT_PRESENT (0xE0)");
}

TEST(sessions_may_write_only_where_that_is_wanted)
{
    struct p11_module writing = fake_reset();
    const struct p11_token token = { .info = { .ulMaxSessionCount = CK_EFFECTIVELY_INFINITE } };
    struct session_pool may_write;

    pool_init(&may_write);
    may_write.may_write = true;
    assert_ok(pool_start(&may_write, &writing, &token, "token 'fake'", 1, NULL));
    assert_int_equal(fake.open_flags, CKF_SERIAL_SESSION | CKF_RW_SESSION);
    pool_close_sessions(&may_write);
    pool_clear(&may_write);
}

TEST(the_first_session_is_opened_at_once_and_the_others_when_needed)
{
    CK_SESSION_HANDLE sessions[3];

    assert_ok(start(3, 0, NULL));
    assert_int_equal(fake.n_opened, 1);
    assert_int_equal(fake.slot, 5);
    assert_int_equal(fake.open_flags, CKF_SERIAL_SESSION);
    for (int i = 0; i < 3; i++) {
        sessions[i] = take();
        assert_int_equal(fake.n_opened, i + 1);
    }
    assert_true(sessions[0] != sessions[1] && sessions[1] != sessions[2] && sessions[0] != sessions[2]);
    for (int i = 0; i < 3; i++) {
        pool_give(&pool, sessions[i], false);
    }
    assert_int_equal(take(), sessions[2]); /* used again, not opened again */
    assert_int_equal(fake.n_opened, 3);
    assert_int_equal(fake.n_closed, 0);
    assert_int_equal(fake.n_entered, fake.n_left);
}

TEST(the_tokens_own_limit_counts_when_it_is_smaller)
{
    static const struct {
        const char *name;
        size_t max;
        CK_ULONG token_max;
        bool single_threaded;
        size_t expected;
    } rows[] = {
        { "no effective limit", 4, CK_EFFECTIVELY_INFINITE, false, 4 },
        { "not known", 4, CK_UNAVAILABLE_INFORMATION, false, 4 },
        { "the token allows fewer", 4, 2, false, 2 },
        { "the token allows one", 4, 1, false, 1 },
        { "the same", 4, 4, false, 4 },
        { "the token allows more", 4, 5, false, 4 },
        { "never more than the pool holds", 100000, 0, false, POOL_MAX },
        { "nor when the token says more", 100000, 99999, false, POOL_MAX },
        { "a module without locking", 4, 0, true, 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        is_single_threaded = rows[i].single_threaded;
        assert_ok(start(rows[i].max, rows[i].token_max, NULL));
        assert_row(pool.max == rows[i].expected, rows[i].name);
        pool_close_sessions(&pool);
    }
}

TEST(closing_closes_what_is_idle)
{
    CK_SESSION_HANDLE a, b;

    assert_ok(start(4, 0, NULL));
    a = take();
    b = take();
    pool_give(&pool, a, false);
    pool_give(&pool, b, false);
    pool_close_sessions(&pool);
    assert_int_equal(fake.n_open, 0);
    assert_int_equal(fake.n_closed, 2);
    assert_int_equal(fake.n_bad_handles, 0);
    pool_close_sessions(&pool);
    assert_int_equal(fake.n_bad_handles, 0);
    assert_ok(start(4, 0, NULL)); /* and it can begin again */
    (void)take();
    assert_int_equal(fake.n_opened, 3);
}

/* The login ends with a token's last session: there must be another one before. */
TEST(a_broken_session_is_replaced_before_it_is_closed)
{
    CK_SESSION_HANDLE broken;

    assert_ok(start(1, 0, NULL));
    broken = take();
    fake.trace[0] = '\0';
    pool_give(&pool, broken, true);
    assert_string_equal(fake.trace, "C_OpenSession C_CloseSession ");
    assert_false(fake.is_open[broken]);
    assert_int_equal(fake.n_open, 1);
    assert_int_not_equal(take(), broken);
    assert_int_equal(fake.n_opened, 2);
}

TEST(a_broken_session_without_a_replacement_leaves_room_for_another)
{
    CK_SESSION_HANDLE broken;

    assert_ok(start(1, 0, NULL));
    broken = take();
    fake.n_opens_good = 0;
    fake.open_rv = CKR_DEVICE_REMOVED;
    pool_give(&pool, broken, true);
    assert_int_equal(fake.n_open, 0);
    assert_int_equal(pool_take(&pool, &broken, NULL), KEYSTAY_E_MODULE);
    fake.n_opens_good = -1;
    (void)take();
}

TEST(who_comes_when_all_are_taken_waits)
{
    struct taker taker;
    CK_SESSION_HANDLE only;

    assert_ok(start(1, 0, NULL));
    only = take();
    taker_start(&taker);
    assert_false(atomic_load(&taker.is_finished));
    pool_give(&pool, only, false);
    assert_int_equal(pthread_join(taker.thread, NULL), 0);
    assert_ok(taker.status);
    assert_int_equal(taker.session, only);
    assert_int_equal(fake.n_opened, 1);
}

TEST(who_waits_gets_the_replacement_of_a_broken_session)
{
    struct taker taker;
    CK_SESSION_HANDLE only;

    assert_ok(start(1, 0, NULL));
    only = take();
    taker_start(&taker);
    pool_give(&pool, only, true);
    assert_int_equal(pthread_join(taker.thread, NULL), 0);
    assert_ok(taker.status);
    assert_int_not_equal(taker.session, only);
    assert_true(fake.is_open[taker.session]);
}

/* The token says "any number" and then has only two. */
TEST(a_token_that_has_no_more_sessions_lowers_the_limit)
{
    struct taker taker;
    CK_SESSION_HANDLE a;

    assert_ok(start(8, 0, NULL));
    fake.sessions_max = 2;
    a = take();
    (void)take();
    taker_start(&taker);
    assert_false(atomic_load(&taker.is_finished));
    assert_int_equal(pool.max, 2);
    fake.trace[0] = '\0';
    pool_give(&pool, a, false);
    assert_int_equal(pthread_join(taker.thread, NULL), 0);
    assert_ok(taker.status);
    assert_int_equal(taker.session, a);
    assert_string_equal(fake.trace, ""); /* it was not asked again */
}

TEST(no_session_at_all_is_an_error_and_not_a_wait)
{
    CK_SESSION_HANDLE session = 0;
    struct keystay_error err;

    assert_ok(start(4, 0, NULL));
    pool_close_sessions(&pool);
    fake.sessions_max = 0; /* other programs have them all */
    assert_int_equal(pool_take(&pool, &session, &err), KEYSTAY_E_MODULE);
    assert_int_equal(err.ck_rv, CKR_SESSION_COUNT);
}

/* One wakes up, cannot open a session either, and must wake the next: nobody else will. */
TEST(all_who_wait_hear_that_the_token_is_gone)
{
    static struct taker takers[3];
    CK_SESSION_HANDLE only;
    size_t n_finished = 0;

    assert_ok(start(1, 0, NULL));
    only = take();
    for (size_t i = 0; i < ARRAY_LEN(takers); i++) {
        taker_start(&takers[i]);
    }
    fake.n_opens_good = 0;
    fake.open_rv = CKR_DEVICE_REMOVED;
    pool_give(&pool, only, true);
    for (int i = 0; i < 20000 && n_finished < ARRAY_LEN(takers); i++) {
        sleep_ms(1);
        n_finished = 0;
        for (size_t j = 0; j < ARRAY_LEN(takers); j++) {
            n_finished += atomic_load(&takers[j].is_finished) ? 1 : 0;
        }
    }
    (void)pthread_cond_broadcast(&pool.is_free); /* frees those that hang, so that the test can end */
    for (size_t i = 0; i < ARRAY_LEN(takers); i++) {
        assert_int_equal(pthread_join(takers[i].thread, NULL), 0);
        assert_int_equal(takers[i].status, KEYSTAY_E_MODULE);
    }
    assert_int_equal(n_finished, ARRAY_LEN(takers));
}

enum { WORKERS = 8, ROUNDS = 200, SHARED = 3 };
static atomic_int in_use[FAKE_SESSIONS_MAX];
static atomic_int n_shared, n_failed;

static void *work(void *context)
{
    unsigned int seed = (unsigned int)(uintptr_t)context;

    for (int i = 0; i < ROUNDS; i++) {
        CK_SESSION_HANDLE session = 0;

        if (pool_take(&pool, &session, NULL) != KEYSTAY_OK) {
            atomic_fetch_add(&n_failed, 1);
            continue;
        }
        atomic_fetch_add(&n_shared, atomic_fetch_add(&in_use[session], 1) == 0 ? 0 : 1);
        seed = seed * 1103515245 + 12345;
        atomic_fetch_sub(&in_use[session], 1);
        pool_give(&pool, session, seed >> 16 & 1 && i % 8 == 0);
    }
    return NULL;
}

TEST(many_threads_share_few_sessions_and_never_the_same_one)
{
    pthread_t threads[WORKERS];

    assert_ok(start(SHARED, 0, NULL));
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(i + 1)), 0);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(n_failed, 0);
    assert_int_equal(n_shared, 0);
    /* A broken one lives beside its replacement for a moment. */
    assert_true(fake.n_open_most <= 2 * SHARED);
    assert_true(fake.n_open <= SHARED);
    pool_close_sessions(&pool);
    assert_int_equal(fake.n_open, 0);
    assert_int_equal(fake.n_bad_handles, 0);
}

#define pool_test(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        pool_test(a_first_session_that_cannot_be_opened_is_an_error),
        pool_test(sessions_may_write_only_where_that_is_wanted),
        pool_test(the_first_session_is_opened_at_once_and_the_others_when_needed),
        pool_test(the_tokens_own_limit_counts_when_it_is_smaller),
        pool_test(closing_closes_what_is_idle),
        pool_test(a_broken_session_is_replaced_before_it_is_closed),
        pool_test(a_broken_session_without_a_replacement_leaves_room_for_another),
        pool_test(who_comes_when_all_are_taken_waits),
        pool_test(who_waits_gets_the_replacement_of_a_broken_session),
        pool_test(a_token_that_has_no_more_sessions_lowers_the_limit),
        pool_test(no_session_at_all_is_an_error_and_not_a_wait),
        pool_test(all_who_wait_hear_that_the_token_is_gone),
        pool_test(many_threads_share_few_sessions_and_never_the_same_one),
    };

    return RUN_TESTS(tests);
}
