/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* environ */

#include "pkcs11/isolated/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "pkcs11/isolated/message.h"

#ifndef __GLIBC__
extern char **environ;
#endif

enum { LOOK_AGAIN_NS = 50000, LOOK_AGAIN_MAX_NS = 5000000 }; /* doubles */

/* For this program alone: who it is to its service manager, and where its secrets are. */
static const char *const kept_back[] = { "NOTIFY_SOCKET",        "LISTEN_PID",   "LISTEN_FDS",
                                         "LISTEN_FDNAMES",       "WATCHDOG_PID", "WATCHDOG_USEC",
                                         "CREDENTIALS_DIRECTORY" };

static bool is_named(const char *entry, const char *name)
{
    size_t len = strlen(name);

    return strncmp(entry, name, len) == 0 && entry[len] == '=';
}

static bool is_kept_back(const char *entry, const char *pin_variable)
{
    for (size_t i = 0; i < ARRAY_LEN(kept_back); i++) {
        if (is_named(entry, kept_back[i])) {
            return true;
        }
    }
    return pin_variable != NULL && is_named(entry, pin_variable);
}

char **process_environment(const char *pin_variable)
{
    size_t n = 0;

    while (environ[n] != NULL) {
        n++;
    }
    char **ours = calloc(n + 1, sizeof(*ours));
    for (size_t i = 0, kept = 0; ours != NULL && i < n; i++) {
        if (!is_kept_back(environ[i], pin_variable)) {
            ours[kept++] = environ[i];
        }
    }
    return ours;
}

void process_kill(struct process *process)
{
    (void)pthread_mutex_lock(&process->end_lock);
    if (process->pid > 0) {
        (void)kill(process->pid, SIGKILL);
    }
    (void)pthread_mutex_unlock(&process->end_lock);
    channel_shut(process->channel);
}

/* False when it is no child of ours any more, as where SIGCHLD is ignored. */
static bool wait_for(pid_t pid, int64_t deadline_ms, int *ret_status)
{
    struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
    pid_t waited = 0;

    while ((waited = waitpid(pid, ret_status, WNOHANG)) == 0 || (waited < 0 && errno == EINTR)) {
        if (clock_monotonic_ms() >= deadline_ms) {
            (void)kill(pid, SIGKILL);
        }
        (void)nanosleep(&pause, NULL);
        pause.tv_nsec = pause.tv_nsec < LOOK_AGAIN_MAX_NS ? 2 * pause.tv_nsec : LOOK_AGAIN_MAX_NS;
    }
    return waited == pid;
}

static void describe_end(struct process *process, bool is_known, int status)
{
    if (!is_known) {
        (void)snprintf(process->how, sizeof(process->how), "unknown status");
    } else if (WIFSIGNALED(status)) {
        (void)snprintf(process->how, sizeof(process->how), "signal %d", WTERMSIG(status));
    } else {
        (void)snprintf(process->how, sizeof(process->how), "status %d", WEXITSTATUS(status));
    }
}

const char *process_wait(struct process *process, int64_t moment_ms)
{
    int status = 0;

    (void)pthread_mutex_lock(&process->end_lock);
    if (process->pid > 0) {
        bool is_known = wait_for(process->pid, clock_monotonic_ms() + moment_ms, &status);

        describe_end(process, is_known, status);
        process->pid = -1;
    }
    (void)pthread_mutex_unlock(&process->end_lock);
    return process->how;
}

void process_end(struct process *process, int64_t moment_ms)
{
    channel_shut(process->channel);
    (void)process_wait(process, moment_ms);
    channel_free(process->channel);
    (void)pthread_mutex_destroy(&process->end_lock);
    free(process);
}

static enum keystay_status hear_hello(
    struct process *process, const char *program, int64_t deadline_ms, struct keystay_error *err)
{
    CLEANUP(frame_freep) struct frame *hello = NULL;

    if (channel_receive(process->channel, 0, deadline_ms, &hello) != CHANNEL_OK ||
        hello->type != FRAME_HELLO) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "--signer-program names the program keystay-signer of this installation",
            "'%s' did not answer as a signer process", program);
    }
    return hello_decode(buf_slice(&hello->body), err);
}

enum keystay_status process_start(
    const char *program, char *const environment[], unsigned int number, int64_t deadline_ms,
    struct process **ret_process, struct keystay_error *err)
{
    struct process *process = calloc(1, sizeof(*process));
    int fd = -1;

    if (process == NULL) {
        return err_no_memory(err);
    }
    enum keystay_status status = child_start_at_socket(program, environment, &process->pid, &fd, err);
    if (status != KEYSTAY_OK) {
        free(process);
        return err_hint(err, status, "is keystay installed whole? --signer-program names its keystay-signer");
    }
    (void)pthread_mutex_init(&process->end_lock, NULL);
    process->number = number;
    process->channel = channel_new(fd);
    if (process->channel == NULL) {
        (void)kill(process->pid, SIGKILL);
        (void)process_wait(process, 0);
        free(process);
        return err_no_memory(err);
    }
    status = hear_hello(process, program, deadline_ms, err);
    if (status != KEYSTAY_OK) {
        process_end(process, 0);
        return status;
    }
    *ret_process = process;
    return KEYSTAY_OK;
}
