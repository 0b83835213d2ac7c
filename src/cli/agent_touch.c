/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/agent_touch.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "cli/agent_unlock.h"

enum { LOOK_EVERY_MS = 700, NAME_SIZE = 256 };

/* The one in this process. The thread has it for itself from begin to end. */
static struct agent_client asked;
static char name[NAME_SIZE];
static pthread_t thread;
static bool has_thread;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t is_over_now; /* of the monotonic clock, while there is a thread */
static bool is_over;

/* False: so long it is not. */
static bool wait_for_end(long ms)
{
    struct timespec until;
    int result = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_mutex_lock(&lock);
    while (!is_over && result == 0) {
        result = pthread_cond_timedwait(&is_over_now, &lock, &until);
    }
    const bool has_ended = is_over;
    (void)pthread_mutex_unlock(&lock);
    return has_ended;
}

static void *look(void *unused)
{
    static const char hint[] = "keystay: if the key waits for a touch, touch it now\n";
    struct agent_profile profile = { 0 };

    while (!wait_for_end(LOOK_EVERY_MS) && agent_look(&asked, name, &profile, NULL) == KEYSTAY_OK &&
           !profile.is_slow) {
    }
    if (profile.is_slow && !wait_for_end(0)) {
        (void)file_write_all(STDERR_FILENO, slice_of_str(hint), NULL);
    }
    agent_client_clear(&asked);
    return unused;
}

void agent_touch_begin(const struct cli *cli, const struct agent_client *client, const char *profile)
{
    pthread_condattr_t monotonic;
    sigset_t all;
    sigset_t before;

    /* Who may have tokens of another's agent may not see how it is. */
    if (!isatty(STDERR_FILENO) || cli_given(cli, CLI_QUIET) || !client->is_ours) {
        return;
    }
    asked = *client;
    asked.fd = 0;
    asked.log = NULL;
    (void)snprintf(name, sizeof(name), "%s", profile);
    is_over = false;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&is_over_now, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    /* Signals are for the main thread. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    has_thread = pthread_create(&thread, NULL, look, NULL) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void agent_touch_end(void)
{
    if (has_thread) {
        (void)pthread_mutex_lock(&lock);
        is_over = true;
        (void)pthread_cond_signal(&is_over_now);
        (void)pthread_mutex_unlock(&lock);
        (void)pthread_join(thread, NULL);
        has_thread = false;
    }
}
