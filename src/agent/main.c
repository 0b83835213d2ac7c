/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keystay-agent: gives tokens to the programs of this machine that may have them. keystay agent run starts
 * it, or a service manager. The main thread keeps time and takes signals; requests are served by others.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "agent/agent.h"
#include "agent/command_line.h"
#include "agent/journal.h"
#include "agent/service.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "crypto/memory.h"
#include "http/curl.h"

enum { ARENAS = 2, DESCRIPTORS_WANTED = 65536 };

/* What keystay exec hands over: a socket that listens, and the process that it is for. */
enum { COMMAND_SOCKET_FD = 3, COMMAND_PROCESS_FD = 4 };

static bool is_verbose;
static bool is_for_command;

/* Of a command it is the output that is wanted, unless something is wrong. */
static enum journal_tells what_to_tell(void)
{
    return is_verbose ? JOURNAL_STEPS : is_for_command ? JOURNAL_WARNINGS : JOURNAL_NOTES;
}

/* Many callers and their processes are one descriptor each; a shell's soft limit is for what uses select. */
static void allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS_WANTED) {
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum keystay_status prepare_process(struct keystay_error *err)
{
    const struct rlimit none = { 0, 0 };
    const struct sigaction ignore = { .sa_handler = SIG_IGN };

    (void)setrlimit(RLIMIT_CORE, &none);
    allow_descriptors();
#ifdef __linux__
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)mallopt(M_ARENA_MAX, ARENAS);
#endif
    (void)sigaction(SIGPIPE, &ignore, NULL);
    if (!crypto_use_wiping_memory() || !http_curl_use_wiping_memory()) {
        return err_set(err, KEYSTAY_E_INTERNAL, "OpenSSL or libcurl was in use too early to wipe its memory");
    }
    return KEYSTAY_OK;
}

/* Blocked in all threads: the main thread asks for them. */
static sigset_t take_signals(void)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return signals;
}

static enum keystay_status serve(struct agent *agent, const sigset_t *signals, struct keystay_error *err)
{
    static const struct timespec second = { .tv_sec = 1 };

    for (;;) {
        int signal = sigtimedwait(signals, NULL, &second);

        if (signal == SIGTERM || signal == SIGINT) {
            return KEYSTAY_OK;
        }
        if (signal == SIGHUP) {
            agent_reload_soon(agent);
        }
        TRY(agent_tick(agent, clock_monotonic_ms(), err));
    }
}

/* Ends this process as a signal would, when the one that it is for has ended. */
static void *follow_command(void *unused)
{
    struct pollfd ended = { .fd = COMMAND_PROCESS_FD, .events = POLLIN };

    while (poll(&ended, 1, -1) < 0 && errno == EINTR) {
    }
    (void)kill(getpid(), SIGTERM);
    return unused;
}

static enum keystay_status follow(struct keystay_error *err)
{
    pthread_t thread;

    if (!is_for_command) {
        return KEYSTAY_OK;
    }
    (void)fcntl(COMMAND_SOCKET_FD, F_SETFD, FD_CLOEXEC);
    (void)fcntl(COMMAND_PROCESS_FD, F_SETFD, FD_CLOEXEC);
    if (pthread_create(&thread, NULL, follow_command, NULL) != 0) {
        return err_no_memory(err);
    }
    (void)pthread_detach(thread);
    return KEYSTAY_OK;
}

static int fail(const struct keystay_error *error)
{
    const char *priority = journal_is_systemds(STDERR_FILENO) ? "<3>" : "";

    (void)fprintf(stderr, "%skeystay-agent: %s\n", priority, error->message);
    if (error->hint[0] != '\0') {
        (void)fprintf(stderr, "%s  try: %s\n", priority, error->hint);
    }
    return keystay_status_exit(error->status);
}

int main(int argc, char **argv)
{
    static struct agent agent;
    struct journal *journal = NULL;
    struct keystay_error error = { 0 };
    struct command_line line = { 0 };

    if (!file_reserve_standard()) {
        _exit(keystay_status_exit(KEYSTAY_E_INTERNAL));
    }
    if (command_line_read(argc, argv, &line, &error) != KEYSTAY_OK) {
        return fail(&error);
    }
    if (line.print != NULL) {
        return file_write_all(STDOUT_FILENO, slice_of_str(line.print), &error) == KEYSTAY_OK ? EXIT_SUCCESS
                                                                                             : fail(&error);
    }
    is_verbose = line.is_verbose;
    is_for_command = line.is_for_command;
    const sigset_t signals = take_signals();
    if (prepare_process(&error) != KEYSTAY_OK || follow(&error) != KEYSTAY_OK ||
        journal_new(STDERR_FILENO, what_to_tell(), &journal, &error) != KEYSTAY_OK) {
        return fail(&error);
    }
    const struct keystay_log *log = journal_log(journal);
    bool is_well =
        agent_start(&agent, line.config_path, is_for_command ? COMMAND_SOCKET_FD : -1, log, &error) ==
        KEYSTAY_OK;
    if (is_well) {
        service_say_ready("serving");
        journal_note(log, "serving");
        is_well = serve(&agent, &signals, &error) == KEYSTAY_OK;
        journal_note(log, "ending");
    }
    if (agent_end(&agent)) {
        journal_freep(&journal); /* else a thread may still have something to say */
    }
    _exit(is_well ? EXIT_SUCCESS : fail(&error));
}
