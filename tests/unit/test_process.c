/* SPDX-License-Identifier: Apache-2.0 */
/* argv[1] is the real keystay-signer. */
#define _GNU_SOURCE /* environ */

#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "pkcs11/isolated/process.h"
#include "scratch.h"

enum { SOON_MS = 300, LONG_MS = 20000 };

static const char *signer_program;

static enum keystay_status start(
    const char *program, int64_t within_ms, struct process **ret_process, struct keystay_error *err)
{
    return process_start(program, environ, 1, clock_monotonic_ms() + within_ms, ret_process, err);
}

/* A program that is a shell script. */
static enum keystay_status start_script(
    const char *script, int64_t within_ms, struct process **ret_process, struct keystay_error *err)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];

    scratch_put(&folder, "signer", slice_of_str(script), 0700);
    return start(scratch_path(&folder, "signer", path), within_ms, ret_process, err);
}

static bool has_variable(char *const environment[], const char *name)
{
    for (size_t i = 0; environment[i] != NULL; i++) {
        if (str_has_prefix(environment[i], name)) {
            return true;
        }
    }
    return false;
}

TEST(what_is_for_this_program_alone_is_kept_back)
{
    static const char *const names[] = { "NOTIFY_SOCKET",         "LISTEN_PID",   "LISTEN_FDS",
                                         "LISTEN_FDNAMES",        "WATCHDOG_PID", "WATCHDOG_USEC",
                                         "CREDENTIALS_DIRECTORY", "MY_PIN" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        KEPT_ENV unset = env_set(names[i], "value");
        CLEANUP(freep) char **environment = process_environment("MY_PIN");

        assert_non_null(environment);
        assert_row(!has_variable(environment, names[i]), names[i]);
    }
}

TEST(all_else_is_handed_on)
{
    KEPT_ENV longer = env_set("MY_PIN_FILE", "a name that begins likewise");
    KEPT_ENV pin = env_set("MY_PIN", "1234");
    KEPT_ENV socket = env_set("NOTIFY_SOCKET_OF_ANOTHER", "x");
    KEPT_ENV module = env_set("SOFTHSM2_CONF", "/nonexistent");
    CLEANUP(freep) char **environment = process_environment("MY_PIN");

    assert_non_null(environment);
    assert_true(has_variable(environment, "MY_PIN_FILE=a name"));
    assert_false(has_variable(environment, "MY_PIN="));
    assert_true(has_variable(environment, "NOTIFY_SOCKET_OF_ANOTHER="));
    assert_true(has_variable(environment, "SOFTHSM2_CONF=/nonexistent"));
    CLEANUP(freep) char **whole = process_environment(NULL);
    assert_non_null(whole);
    assert_true(has_variable(whole, "MY_PIN=1234"));
}

/* valgrind makes a plain fork of posix_spawn, which then cannot tell that there is no such program. */
TEST(a_program_that_is_missing_is_named)
{
    static const char *const programs[] = { "/nonexistent/keystay-signer", "/tmp", "" };

    for (size_t i = 0; i < ARRAY_LEN(programs) && !is_under_valgrind(); i++) {
        struct process *process = NULL;
        struct keystay_error err;

        assert_row(start(programs[i], LONG_MS, &process, &err) == KEYSTAY_E_CONFIG, programs[i]);
        assert_null(process);
        assert_contains(err.message, programs[i]);
        assert_contains(err.hint, "--signer-program");
    }
}

TEST(a_program_that_is_no_signer_is_named)
{
    static const struct {
        const char *name;
        const char *script;
    } rows[] = {
        { "ends at once", "#!/bin/sh\nexit 0\n" },
        { "fails", "#!/bin/sh\nexit 1\n" },
        { "sends text", "#!/bin/sh\necho hello, who are you >&3\nexec sleep 60\n" },
        { "sends half a greeting", "#!/bin/sh\nprintf '\\040\\000' >&3\n" },
        { "closes its end", "#!/bin/sh\nexec 3>&-\nexec sleep 60\n" },
        { "talks on stdout", "#!/bin/sh\nprintf ''\n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct process *process = NULL;
        struct keystay_error err;

        assert_row(start_script(rows[i].script, LONG_MS, &process, &err) == KEYSTAY_E_CONFIG, rows[i].name);
        assert_row(process == NULL, rows[i].name);
        assert_contains(err.message, "did not answer as a signer process");
    }
}

TEST(a_program_that_says_nothing_is_ended_at_the_deadline)
{
    struct process *process = NULL;
    struct keystay_error err;
    int64_t started_ms = clock_monotonic_ms();

    assert_int_equal(start_script("#!/bin/sh\nexec sleep 60\n", SOON_MS, &process, &err), KEYSTAY_E_CONFIG);
    assert_null(process);
    assert_true(clock_monotonic_ms() - started_ms < LONG_MS);
}

/* "keystay-signer", version 1 of the protocol, "9.9" of the program. */
TEST(a_signer_of_another_version_is_refused)
{
    static const char script[] =
        "#!/bin/sh\n"
        "printf '\\040\\000\\000\\000\\000"
        "\\000\\000\\000\\016keystay-signer\\000\\000\\000\\001\\000\\000\\000\\0039.9' >&3\n"
        "exec sleep 60\n";
    struct process *process = NULL;
    struct keystay_error err;

    assert_int_equal(start_script(script, LONG_MS, &process, &err), KEYSTAY_E_CONFIG);
    assert_null(process);
    assert_contains(err.message, "another build (9.9, protocol");
    assert_contains(err.message, KEYSTAY_VERSION);
}

TEST(the_real_one_greets_and_leaves_with_us)
{
    struct process *process = NULL;

    assert_ok(start(signer_program, LONG_MS, &process, NULL));
    assert_true(process->pid > 0);
    assert_int_equal(process->number, 1);
    channel_shut(process->channel);
    assert_string_equal(process_wait(process, LONG_MS), "status 0");
    assert_string_equal(process_wait(process, LONG_MS), "status 0"); /* as often as one likes */
    process_end(process, 0);
}

TEST(one_that_is_killed_is_gone_and_says_how)
{
    struct process *process = NULL;
    struct frame *frame = NULL;

    assert_ok(start(signer_program, LONG_MS, &process, NULL));
    assert_int_equal(kill(process->pid, SIGKILL), 0);
    assert_int_equal(channel_receive(process->channel, 1, CHANNEL_NO_DEADLINE, &frame), CHANNEL_GONE);
    assert_string_equal(process_wait(process, LONG_MS), "signal 9");
    process_kill(process); /* nothing is left that could be hit */
    process_end(process, 0);
}

TEST(one_that_does_not_go_by_itself_is_killed)
{
    struct process *process = NULL;
    int status = 0;

    assert_ok(start(signer_program, LONG_MS, &process, NULL));
    assert_int_equal(kill(process->pid, SIGSTOP), 0);
    assert_int_equal(waitpid(process->pid, &status, WUNTRACED), process->pid);
    assert_true(WIFSTOPPED(status));
    int64_t started_ms = clock_monotonic_ms();
    channel_shut(process->channel);
    assert_string_equal(process_wait(process, SOON_MS), "signal 9");
    assert_true(clock_monotonic_ms() - started_ms >= SOON_MS);
    process_end(process, 0);
}

TEST(how_it_ended_is_unknown_where_sigchld_is_ignored)
{
    struct process *process = NULL;

    (void)signal(SIGCHLD, SIG_IGN);
    enum keystay_status status = start(signer_program, LONG_MS, &process, NULL);
    if (status == KEYSTAY_OK) {
        process_kill(process);
        const char *how = process_wait(process, LONG_MS);
        assert_string_equal(how, "unknown status");
        process_end(process, 0);
    }
    (void)signal(SIGCHLD, SIG_DFL);
    assert_ok(status);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_for_this_program_alone_is_kept_back),
        cmocka_unit_test(all_else_is_handed_on),
        cmocka_unit_test(a_program_that_is_missing_is_named),
        cmocka_unit_test(a_program_that_is_no_signer_is_named),
        cmocka_unit_test(a_program_that_says_nothing_is_ended_at_the_deadline),
        cmocka_unit_test(a_signer_of_another_version_is_refused),
        cmocka_unit_test(the_real_one_greets_and_leaves_with_us),
        cmocka_unit_test(one_that_is_killed_is_gone_and_says_how),
        cmocka_unit_test(one_that_does_not_go_by_itself_is_killed),
        cmocka_unit_test(how_it_ended_is_unknown_where_sigchld_is_ignored),
    };

    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s KEYSTAY-SIGNER\n", argv[0]);
        return EXIT_FAILURE;
    }
    signer_program = argv[1];
    return RUN_TESTS(tests);
}
