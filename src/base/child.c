/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* posix_spawn_file_actions_addclosefrom_np */

#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/wipe.h"

#ifndef __GLIBC__
extern char **environ;
#endif

void child_clear(struct child *child)
{
    file_closep(&child->to_fd);
    file_closep(&child->from_fd);
    if (child->pid > 0) {
        (void)kill(child->pid, SIGKILL);
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    *child = CHILD_NONE;
}

/* The file actions and attributes of one spawn. */
struct plan {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
};

static void plan_clear(struct plan *plan)
{
    (void)posix_spawn_file_actions_destroy(&plan->actions);
    (void)posix_spawnattr_destroy(&plan->attributes);
}

/* Signals as a fresh program expects them: we ignore SIGPIPE, it must not. */
static void plan_signals(struct plan *plan)
{
    sigset_t none;
    sigset_t defaults;

    (void)sigemptyset(&none);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    (void)posix_spawnattr_setsigmask(&plan->attributes, &none);
    (void)posix_spawnattr_setsigdefault(&plan->attributes, &defaults);
    (void)posix_spawnattr_setflags(&plan->attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int make_pipe(int ends[2])
{
    if (pipe(ends) != 0) {
        ends[0] = -1;
        ends[1] = -1;
        return errno;
    }
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    return 0;
}

/* What a module or the caller left open without FD_CLOEXEC is none of the child's business. */
static void plan_descriptors(struct plan *plan, int in, int out)
{
    (void)posix_spawn_file_actions_adddup2(&plan->actions, in, STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&plan->actions, out, STDOUT_FILENO);
#ifdef __GLIBC__
    (void)posix_spawn_file_actions_addclosefrom_np(&plan->actions, STDERR_FILENO + 1);
#endif
}

static void close_pair(int (*ends)[2])
{
    file_closep(&(*ends)[0]);
    file_closep(&(*ends)[1]);
}

enum keystay_status child_start(char *const argv[], struct child *ret_child, struct keystay_error *err)
{
    CLEANUP(close_pair) int in[2] = { -1, -1 };
    CLEANUP(close_pair) int out[2] = { -1, -1 };
    CLEANUP(plan_clear) struct plan plan;
    pid_t pid = -1;

    (void)posix_spawn_file_actions_init(&plan.actions);
    (void)posix_spawnattr_init(&plan.attributes);
    int result = make_pipe(in);
    result = result != 0 ? result : make_pipe(out);
    plan_signals(&plan);
    plan_descriptors(&plan, in[0], out[1]);
    result =
        result != 0 ? result : posix_spawnp(&pid, argv[0], &plan.actions, &plan.attributes, argv, environ);
    if (result != 0) {
        return err_set(err, KEYSTAY_E_CONFIG, "'%s' cannot be started: %s", argv[0], file_errno_text(result));
    }
    *ret_child = (struct child){ .pid = pid, .to_fd = in[1], .from_fd = out[0] };
    in[1] = -1;
    out[0] = -1;
    return KEYSTAY_OK;
}

#ifndef SOCK_CLOEXEC
#define SOCK_CLOEXEC 0
#endif

/* Not below 4, where the child's own descriptors are put. Another thread may start a program at any time. */
static int make_socket(int ends[2])
{
    int made[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, made) != 0) {
        return errno;
    }
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(made[i], F_DUPFD_CLOEXEC, CHILD_SOCKET_FD + 1);
    }
    int error = ends[0] < 0 || ends[1] < 0 ? errno : 0;
    close_pair(&made);
    return error;
}

enum keystay_status child_start_at_socket(
    const char *path, char *const environment[], pid_t *ret_pid, int *ret_fd, struct keystay_error *err)
{
    CLEANUP(close_pair) int ends[2] = { -1, -1 };
    CLEANUP(plan_clear) struct plan plan;
    char *const argv[] = { drop_const(path), NULL };

    (void)posix_spawn_file_actions_init(&plan.actions);
    (void)posix_spawnattr_init(&plan.attributes);
    int result = make_socket(ends);
    plan_signals(&plan);
    (void)posix_spawn_file_actions_adddup2(&plan.actions, ends[1], CHILD_SOCKET_FD);
    (void)posix_spawn_file_actions_addopen(&plan.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&plan.actions, STDERR_FILENO, STDOUT_FILENO);
#ifdef __GLIBC__
    (void)posix_spawn_file_actions_addclosefrom_np(&plan.actions, CHILD_SOCKET_FD + 1);
#endif
    result =
        result != 0 ? result : posix_spawn(ret_pid, path, &plan.actions, &plan.attributes, argv, environment);
    if (result != 0) {
        return err_set(err, KEYSTAY_E_CONFIG, "'%s' cannot be started: %s", path, file_errno_text(result));
    }
    *ret_fd = ends[0];
    ends[0] = -1;
    return KEYSTAY_OK;
}

/* Reads up to size bytes before the deadline; *ret_n is 0 at the end. */
static enum keystay_status read_some(
    struct child *child, int64_t deadline_ms, uint8_t *bytes, size_t size, size_t *ret_n,
    struct keystay_error *err)
{
    for (;;) {
        int64_t left_ms = deadline_ms - clock_monotonic_ms();
        struct pollfd ready = { .fd = child->from_fd, .events = POLLIN };
        int n_ready = left_ms <= 0 ? 0 : poll(&ready, 1, (int)left_ms);
        ssize_t n = n_ready > 0 ? read(child->from_fd, bytes, size) : -1;

        if (n_ready == 0) {
            return err_set(err, KEYSTAY_E_TIMEOUT, "the program did not answer in time");
        }
        if (n >= 0) {
            *ret_n = (size_t)n;
            return KEYSTAY_OK;
        }
        if (errno != EINTR && errno != EAGAIN) {
            return err_set(
                err, KEYSTAY_E_INTERNAL, "the program's answer cannot be read: %s", file_errno_text(errno));
        }
    }
}

enum keystay_status child_read_line(
    struct child *child, int64_t timeout_ms, struct buf *ret_line, struct keystay_error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    uint8_t c = 0;
    size_t n = 0;

    /* Byte by byte: what comes after the line is for the next call, and a PIN is short. */
    do {
        TRY(read_some(child, deadline_ms, &c, 1, &n, err));
        TRY(buf_put(ret_line, (struct slice){ &c, n }, err));
    } while (n > 0 && c != '\n');
    c = 0;
    return KEYSTAY_OK;
}

/*
 * Its stdout is closed, so it will end soon; one that does not is ended. False when the system will not say
 * how it ended, as in a process that ignores SIGCHLD: what is not known to have gone well has not.
 */
static bool wait_until(pid_t pid, int64_t deadline_ms, int *ret_status)
{
    const struct timespec pause = { .tv_nsec = 5000000L };
    pid_t waited = 0;

    while ((waited = waitpid(pid, ret_status, WNOHANG)) == 0 || (waited < 0 && errno == EINTR)) {
        if (clock_monotonic_ms() >= deadline_ms) {
            (void)kill(pid, SIGKILL);
        }
        (void)nanosleep(&pause, NULL);
    }
    return waited == pid;
}

enum keystay_status child_finish(
    struct child *child, int64_t timeout_ms, struct buf *ret_output, struct keystay_error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    uint8_t chunk[512];
    enum keystay_status status = KEYSTAY_OK;
    size_t n = 1;
    int wait_status = 0;

    file_closep(&child->to_fd);
    while (status == KEYSTAY_OK && n > 0) {
        status = read_some(child, deadline_ms, chunk, sizeof(chunk), &n, err);
        status = status != KEYSTAY_OK ? status : buf_put(ret_output, (struct slice){ chunk, n }, err);
    }
    wipe(chunk, sizeof(chunk));
    TRY(status);
    bool is_known = wait_until(child->pid, deadline_ms, &wait_status);
    child->pid = -1;
    if (!is_known) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "does this process ignore SIGCHLD?",
            "the system does not say how the program ended");
    }
    if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0) {
        return err_set(
            err, KEYSTAY_E_CONFIG, "the program failed with status %d",
            WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status));
    }
    return KEYSTAY_OK;
}
