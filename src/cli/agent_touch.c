/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/agent_touch.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "cli/agent_unlock.h"

enum { LOOK_EVERY_MS = 700, NAME_SIZE = 256 };

/*
 * What the thread has for itself. It is not waited for: the agent may be slow to answer it, and the command
 * is not about that. Whoever has done with this last frees it.
 */
struct touch {
    struct agent_client asked;
    char name[NAME_SIZE];
    pthread_mutex_t lock;       /* over what follows, and while the hint is written */
    pthread_cond_t is_over_now; /* of the monotonic clock */
    bool is_over;
    unsigned int n_users;
};

static struct touch *current; /* of this process; NULL: there is none */

/* Under the lock, which it lets go of. */
static void leave(struct touch *touch)
{
    const bool is_last = --touch->n_users == 0;

    (void)pthread_mutex_unlock(&touch->lock);
    if (is_last) {
        (void)pthread_cond_destroy(&touch->is_over_now);
        (void)pthread_mutex_destroy(&touch->lock);
        free(touch);
    }
}

/* False: so long it is not. */
static bool wait_for_end(struct touch *touch, long ms)
{
    struct timespec until;
    int result = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_mutex_lock(&touch->lock);
    while (!touch->is_over && result == 0) {
        result = pthread_cond_timedwait(&touch->is_over_now, &touch->lock, &until);
    }
    const bool has_ended = touch->is_over;
    (void)pthread_mutex_unlock(&touch->lock);
    return has_ended;
}

static void *look(void *context)
{
    static const char hint[] = "keystay: if the key waits for a touch, touch it now\n";
    struct touch *touch = context;
    struct agent_profile profile = { 0 };

    while (!wait_for_end(touch, LOOK_EVERY_MS) &&
           agent_look(&touch->asked, touch->name, &profile, NULL) == KEYSTAY_OK && !profile.is_slow) {
    }
    agent_client_clear(&touch->asked);
    (void)pthread_mutex_lock(&touch->lock);
    if (profile.is_slow && !touch->is_over) {
        (void)file_write_all(STDERR_FILENO, slice_of_str(hint), NULL);
    }
    leave(touch);
    return NULL;
}

/* NULL when memory is out. */
static struct touch *touch_new(const struct agent_client *client, const char *profile)
{
    struct touch *touch = calloc(1, sizeof(*touch));
    pthread_condattr_t monotonic;

    if (touch == NULL) {
        return NULL;
    }
    touch->asked = *client;
    touch->asked.fd = 0;
    touch->asked.log = NULL;
    touch->n_users = 2;
    (void)snprintf(touch->name, sizeof(touch->name), "%s", profile);
    (void)pthread_mutex_init(&touch->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&touch->is_over_now, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return touch;
}

static bool start(struct touch *touch)
{
    pthread_attr_t detached;
    pthread_t thread;
    sigset_t all;
    sigset_t before;

    (void)pthread_attr_init(&detached);
    (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    /* Signals are for the main thread. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool has_started = pthread_create(&thread, &detached, look, touch) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&detached);
    return has_started;
}

void agent_touch_begin(const struct cli *cli, const struct agent_client *client, const char *profile)
{
    /* Who may have tokens of another's agent may not see how it is. */
    if (!isatty(STDERR_FILENO) || cli_given(cli, CLI_QUIET) || !client->is_ours) {
        return;
    }
    current = touch_new(client, profile);
    if (current != NULL && !start(current)) {
        current->n_users--;
    }
}

void agent_touch_end(void)
{
    struct touch *touch = take_ptr(&current);

    if (touch != NULL) {
        (void)pthread_mutex_lock(&touch->lock);
        touch->is_over = true;
        (void)pthread_cond_signal(&touch->is_over_now);
        leave(touch);
    }
}
