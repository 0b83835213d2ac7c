/* SPDX-License-Identifier: Apache-2.0 */
/* argv[1] is the real keystay-signer: it greets before it knows of any module. */
#define _GNU_SOURCE /* environ */

#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "pkcs11/isolated/host.h"
#include "pkcs11/isolated/process.h"
#include "scratch.h"

enum { LONG_MS = 20000, CALLERS = 16, DEATHS = 6 };

static const char *signer_program;

#define HOST CLEANUP(host_dropp) struct host

static void host_dropp(struct host **host)
{
    host_drop(*host);
}

static struct host *get(const char *program, const char *module)
{
    const struct host_key key = { .program = program, .module = module };
    struct host *host = NULL;

    assert_ok(host_get(&key, &host, NULL));
    return host;
}

static enum keystay_status acquire(
    struct host *host, int64_t within_ms, struct process **ret_process, struct keystay_error *err)
{
    return host_acquire(host, environ, clock_monotonic_ms() + within_ms, ret_process, err);
}

static struct process *take(struct host *host)
{
    struct process *process = NULL;

    assert_ok(acquire(host, LONG_MS, &process, NULL));
    return process;
}

TEST(dropping_nothing_is_fine)
{
    struct process *process = NULL;

    host_drop(NULL);
    HOST *host = get(signer_program, "/m");
    assert_false(host_acquire_running(host, &process)); /* nobody has needed it yet */
}

TEST(the_keys_of_a_module_share_a_process)
{
    HOST *one = get(signer_program, "/m");
    HOST *other = get(signer_program, "/m");

    assert_ptr_equal(one, other);
    struct process *first = take(one);
    struct process *second = take(other);
    assert_ptr_equal(first, second);
    host_release(one, first);
    host_release(other, second);
}

TEST(whatever_differs_has_a_process_of_its_own)
{
    const struct host_key keys[] = {
        { signer_program, NULL, "/m", NULL },   { signer_program, NULL, "/n", NULL },
        { signer_program, NULL, NULL, NULL },   { signer_program, "libp11", "/m", NULL },
        { signer_program, NULL, "/m", "args" },
    };
    struct host *hosts[ARRAY_LEN(keys)];

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        assert_ok(host_get(&keys[i], &hosts[i], NULL));
        for (size_t k = 0; k < i; k++) {
            assert_ptr_not_equal(hosts[i], hosts[k]);
        }
    }
    struct process *one = take(hosts[0]);
    struct process *other = take(hosts[1]);
    assert_int_not_equal(one->pid, other->pid);
    host_release(hosts[0], one);
    host_release(hosts[1], other);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        host_drop(hosts[i]);
    }
}

TEST(the_last_user_ends_the_process)
{
    struct host *host = get(signer_program, "/m");
    HOST *second_user = get(signer_program, "/m");
    struct process *process = take(host);
    pid_t pid = process->pid;

    host_release(host, process);
    host_drop(host);
    assert_int_equal(kill(pid, 0), 0);
    host_drop(second_user);
    second_user = NULL;
    assert_int_equal(kill(pid, 0), -1);
}

TEST(what_was_given_up_is_ended_and_the_next_is_another)
{
    HOST *host = get(signer_program, "/m");
    struct process *process = take(host);
    struct process *same = take(host);
    pid_t pid = process->pid;

    host_give_up(host, process);
    host_give_up(host, same); /* by all who were in it */
    struct process *next = take(host);
    assert_int_not_equal(process_number(next), process_number(process));
    host_release(host, process);
    assert_int_equal(kill(pid, 0), 0); /* still to be waited for: somebody is in it */
    host_release(host, same);
    assert_int_equal(kill(pid, 0), -1);
    host_release(host, next);
}

/* The first start after a success is at once; then each waits twice as long; a success forgets that. */
TEST(failures_in_a_row_make_it_wait_longer_and_longer)
{
    HOST *host = get(signer_program, "/m");
    int64_t waited_ms[DEATHS];

    for (int i = 0; i < DEATHS; i++) {
        struct process *process = take(host);
        int64_t started_ms = clock_monotonic_ms();

        host_give_up(host, process);
        host_release(host, process);
        process = take(host);
        waited_ms[i] = clock_monotonic_ms() - started_ms;
        host_release(host, process);
    }
    assert_true(waited_ms[1] >= 100 && waited_ms[2] >= 200 && waited_ms[3] >= 400 && waited_ms[4] >= 800);
    struct process *process = take(host);
    struct keystay_error err;
    host_give_up(host, process);
    host_release(host, process);
    int64_t asked_ms = clock_monotonic_ms();
    assert_int_equal(acquire(host, 2000, &process, &err), KEYSTAY_E_MODULE); /* in 3.2 s, not before */
    assert_true(clock_monotonic_ms() - asked_ms < 1500);
    assert_contains(err.message, "'/m' failed 7 times in a row");
}

TEST(a_success_forgets_the_failures)
{
    HOST *host = get(signer_program, "/m");

    for (int i = 0; i < 2 * DEATHS; i++) {
        struct process *process = take(host);

        host_note_success(host);
        host_give_up(host, process);
        host_release(host, process);
    }
    struct process *process = NULL;
    assert_ok(acquire(host, LONG_MS, &process, NULL));
    host_release(host, process);
}

TEST(a_program_that_cannot_be_started_is_told_and_tried_later)
{
    HOST *host = get("/nonexistent/keystay-signer", "/m");
    struct process *process = NULL;
    struct keystay_error err;

    if (is_under_valgrind()) { /* makes a plain fork of posix_spawn, which cannot tell */
        return;
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(acquire(host, LONG_MS, &process, &err), KEYSTAY_E_CONFIG);
        assert_contains(err.message, "/nonexistent/keystay-signer");
    }
    assert_int_equal(acquire(host, 50, &process, &err), KEYSTAY_E_MODULE);
}

static void *take_and_release(void *host)
{
    struct process *process = take(host);
    unsigned int number = process_number(process);

    host_release(host, process);
    return (void *)(uintptr_t)number;
}

TEST(many_who_need_it_at_once_start_one)
{
    HOST *host = get(signer_program, "/m");
    pthread_t threads[CALLERS];

    for (size_t i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_release, host), 0);
    }
    for (size_t i = 0; i < CALLERS; i++) {
        void *number = NULL;

        assert_int_equal(pthread_join(threads[i], &number), 0);
        assert_int_equal((uintptr_t)number, 1);
    }
}

/* What a fork inherits is another program's: it must neither use nor end it. */
TEST(after_a_fork_it_belongs_to_the_parent)
{
    HOST *host = get(signer_program, "/m");
    struct process *process = take(host);
    int status = 0;

    host_release(host, process);
    pid_t pid = fork();
    if (pid == 0) {
        struct keystay_error err;
        bool is_refused = acquire(host, 100, &process, &err) == KEYSTAY_E_MODULE &&
                          strstr(err.message, "forked") != NULL && !host_acquire_running(host, &process);
        host_drop(host);
        _exit(is_refused ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(host_acquire_running(host, &process));
    assert_int_equal(kill(process->pid, 0), 0);
    host_release(host, process);
}

TEST(exchanges_have_numbers_of_their_own)
{
    HOST *host = get(signer_program, "/m");
    uint32_t first = host_new_exchange(host);

    assert_int_not_equal(first, 0);
    assert_int_not_equal(host_new_exchange(host), first);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dropping_nothing_is_fine),
        cmocka_unit_test(the_keys_of_a_module_share_a_process),
        cmocka_unit_test(whatever_differs_has_a_process_of_its_own),
        cmocka_unit_test(the_last_user_ends_the_process),
        cmocka_unit_test(what_was_given_up_is_ended_and_the_next_is_another),
        cmocka_unit_test(failures_in_a_row_make_it_wait_longer_and_longer),
        cmocka_unit_test(a_success_forgets_the_failures),
        cmocka_unit_test(a_program_that_cannot_be_started_is_told_and_tried_later),
        cmocka_unit_test(many_who_need_it_at_once_start_one),
        cmocka_unit_test(after_a_fork_it_belongs_to_the_parent),
        cmocka_unit_test(exchanges_have_numbers_of_their_own),
    };

    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s KEYSTAY-SIGNER\n", argv[0]);
        return EXIT_FAILURE;
    }
    signer_program = argv[1];
    return RUN_TESTS(tests);
}
