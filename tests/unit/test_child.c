/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "scratch.h"

enum { LONG_MS = 20000 };

/* sh -c script; the tests' scripts use what POSIX has. */
static struct child start_script(const char *script)
{
    char *const argv[] = { drop_const("sh"), drop_const("-c"), drop_const(script), NULL };
    struct child child = CHILD_NONE;

    assert_ok(child_start(argv, &child, NULL));
    return child;
}

static enum keystay_status finish_script(
    const char *script, int64_t timeout_ms, struct buf *output, struct keystay_error *err)
{
    CLEANUP(child_clear) struct child child = start_script(script);

    return child_finish(&child, timeout_ms, output, err);
}

TEST(clearing_nothing_is_fine)
{
    struct child child = CHILD_NONE;

    child_clear(&child);
    child_clear(&child);
    assert_int_equal(child.pid, -1);
}

/* valgrind makes a plain fork of posix_spawn, which then cannot tell that there is no such program. */
TEST(a_missing_program_is_named)
{
    static const char *const programs[] = { "keystay-no-such-program", "/nonexistent/program", "/tmp", "" };

    for (size_t i = 0; i < ARRAY_LEN(programs) && !is_under_valgrind(); i++) {
        char *const argv[] = { drop_const(programs[i]), NULL };
        struct child child = CHILD_NONE;
        struct keystay_error err;

        assert_row(child_start(argv, &child, &err) == KEYSTAY_E_CONFIG, programs[i]);
        assert_contains(err.message, programs[i]);
        assert_int_equal(child.pid, -1);
        assert_int_equal(child_start(argv, &child, NULL), KEYSTAY_E_CONFIG);
    }
}

TEST(what_goes_in_comes_out)
{
    char *const argv[] = { drop_const("cat"), NULL };
    CLEANUP(child_clear) struct child child = CHILD_NONE;
    CLEANUP(buf_clear) struct buf output = BUF(64);

    assert_ok(child_start(argv, &child, NULL));
    assert_ok(file_write_all(child.to_fd, SLICE("one\ntwo"), NULL));
    assert_ok(child_finish(&child, LONG_MS, &output, NULL));
    assert_buf(&output, "one\ntwo");
    assert_int_equal(child.pid, -1);
    assert_int_equal(child.to_fd, -1);
}

TEST(no_shell_reads_its_arguments)
{
    char *const argv[] = { drop_const("printf"), drop_const("%s"), drop_const("$HOME; echo * `id`\n"), NULL };
    CLEANUP(child_clear) struct child child = CHILD_NONE;
    CLEANUP(buf_clear) struct buf output = BUF(64);

    assert_ok(child_start(argv, &child, NULL));
    assert_ok(child_finish(&child, LONG_MS, &output, NULL));
    assert_buf(&output, "$HOME; echo * `id`\n");
}

/* As a conversation with pinentry goes. */
TEST(lines_come_one_by_one)
{
    CLEANUP(child_clear)
    struct child child = start_script("echo ready; read x; echo \"got $x\"; printf end");
    static const char *const lines[] = { "ready\n", "got it\n", "end", "", "" };

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        CLEANUP(buf_clear) struct buf line = BUF(64);
        assert_ok(child_read_line(&child, LONG_MS, &line, NULL));
        assert_buf(&line, lines[i]);
        if (i == 0) {
            assert_ok(file_write_all(child.to_fd, SLICE("it\n"), NULL));
        }
    }
    CLEANUP(buf_clear) struct buf rest = BUF(64);
    assert_ok(child_finish(&child, LONG_MS, &rest, NULL));
    assert_int_equal(rest.len, 0);
}

TEST(a_program_that_fails_is_told_by_its_status)
{
    static const struct {
        const char *script;
        const char *part;
    } rows[] = {
        { "printf half; exit 1", "status 1" }, { "exit 3", "status 3" },
        { "exit 255", "status 255" },          { "keystay-no-such-program", "status 127" },
        { "kill -TERM $$", "status 143" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf output = BUF(64);
        struct keystay_error err;
        assert_row(finish_script(rows[i].script, LONG_MS, &output, &err) == KEYSTAY_E_CONFIG, rows[i].script);
        assert_contains(err.message, rows[i].part);
    }
}

TEST(an_output_may_fill_its_cap)
{
    CLEANUP(buf_clear) struct buf exact = BUF(2000);
    CLEANUP(buf_clear) struct buf small = BUF(1999);
    struct keystay_error err;

    assert_ok(finish_script("printf '%2000s' x", LONG_MS, &exact, NULL));
    assert_int_equal(exact.len, 2000);
    assert_int_equal(finish_script("printf '%2000s' x", LONG_MS, &small, &err), KEYSTAY_E_NO_MEMORY);
    assert_contains(err.message, "1999");
}

TEST(a_line_has_a_cap_too)
{
    CLEANUP(child_clear) struct child child = start_script("printf 'abcdefgh\\n'");
    CLEANUP(buf_clear) struct buf line = BUF(4);

    assert_int_equal(child_read_line(&child, LONG_MS, &line, NULL), KEYSTAY_E_NO_MEMORY);
    assert_buf(&line, "abcd");
}

TEST(an_endless_program_ends_at_the_cap)
{
    CLEANUP(buf_clear) struct buf output = BUF(100000);

    assert_int_equal(finish_script("while :; do echo y; done", LONG_MS, &output, NULL), KEYSTAY_E_NO_MEMORY);
}

TEST(a_slow_program_is_killed_at_the_deadline)
{
    struct child child = start_script("exec sleep 60");
    CLEANUP(buf_clear) struct buf output = BUF(64);
    const pid_t pid = child.pid;
    struct keystay_error err;
    int64_t start_ms = clock_monotonic_ms();

    assert_int_equal(child_finish(&child, 150, &output, &err), KEYSTAY_E_TIMEOUT);
    child_clear(&child);
    assert_in_range(clock_monotonic_ms() - start_ms, 150, LONG_MS);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    assert_contains(err.message, "in time");
}

TEST(a_slow_line_is_a_timeout)
{
    CLEANUP(child_clear) struct child child = start_script("printf half; exec sleep 60");
    CLEANUP(buf_clear) struct buf line = BUF(64);

    assert_int_equal(child_read_line(&child, 150, &line, NULL), KEYSTAY_E_TIMEOUT);
}

/* Its output has ended, but it stays. */
TEST(a_program_that_only_closes_its_output_is_killed_too)
{
    CLEANUP(buf_clear) struct buf output = BUF(64);
    struct keystay_error err;
    int64_t start_ms = clock_monotonic_ms();

    assert_int_equal(
        finish_script("echo 1234; exec >&-; exec sleep 60", 300, &output, &err), KEYSTAY_E_CONFIG);
    assert_in_range(clock_monotonic_ms() - start_ms, 250, LONG_MS);
    assert_contains(err.message, "status 137");
}

/* A program expects signals as after a login, whatever this process made of them. */
TEST(signals_are_as_a_fresh_program_expects_them)
{
    CLEANUP(buf_clear) struct buf output = BUF(64);
    struct keystay_error err;
    sigset_t term;

    (void)sigemptyset(&term);
    (void)sigaddset(&term, SIGTERM);
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(finish_script("kill -PIPE $$", LONG_MS, &output, &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, "status 141");
    (void)signal(SIGPIPE, SIG_DFL);

    assert_int_equal(sigprocmask(SIG_BLOCK, &term, NULL), 0);
    assert_int_equal(finish_script("kill -TERM $$", LONG_MS, &output, &err), KEYSTAY_E_CONFIG);
    assert_int_equal(sigprocmask(SIG_UNBLOCK, &term, NULL), 0);
    assert_contains(err.message, "status 143");
}

/* "It gets no other descriptor": a module's socket or a file of the host program may lack FD_CLOEXEC. */
TEST(it_gets_no_descriptor_but_three)
{
    int ends[2] = { -1, -1 };
    CLEANUP(buf_clear) struct buf output = BUF(64);
    char script[80];

    assert_int_equal(pipe(ends), 0);
    (void)snprintf(
        script, sizeof(script), "test ! -e /proc/self/fd/%d && test ! -e /proc/self/fd/%d", ends[0], ends[1]);
    assert_ok(finish_script(script, LONG_MS, &output, NULL));
    file_closep(&ends[0]);
    file_closep(&ends[1]);
}

/*
 * A host program may ignore SIGCHLD: the status of its children is then lost. What a program said before it
 * failed must not pass for a PIN: each wrong one costs a try.
 */
TEST(a_failure_is_seen_when_sigchld_is_ignored)
{
    CLEANUP(buf_clear) struct buf output = BUF(64);

    (void)signal(SIGCHLD, SIG_IGN);
    enum keystay_status status = finish_script("printf half; exit 1", LONG_MS, &output, NULL);
    (void)signal(SIGCHLD, SIG_DFL);
    assert_int_not_equal(status, KEYSTAY_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clearing_nothing_is_fine),
        cmocka_unit_test(a_missing_program_is_named),
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(no_shell_reads_its_arguments),
        cmocka_unit_test(lines_come_one_by_one),
        cmocka_unit_test(a_program_that_fails_is_told_by_its_status),
        cmocka_unit_test(an_output_may_fill_its_cap),
        cmocka_unit_test(a_line_has_a_cap_too),
        cmocka_unit_test(an_endless_program_ends_at_the_cap),
        cmocka_unit_test(a_slow_program_is_killed_at_the_deadline),
        cmocka_unit_test(a_slow_line_is_a_timeout),
        cmocka_unit_test(a_program_that_only_closes_its_output_is_killed_too),
        cmocka_unit_test(signals_are_as_a_fresh_program_expects_them),
        cmocka_unit_test(it_gets_no_descriptor_but_three),
        cmocka_unit_test(a_failure_is_seen_when_sigchld_is_ignored),
    };

    return RUN_TESTS(tests);
}
