/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Announcing a call costs two stores and a look at the clock, no system call: the thread sleeps until the
 * call that it last saw would be late, so it is never late itself by more than it takes to wake up.
 */
#include "cli/watchdog.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/report.h"

enum { REPORT_MAX = 16 * 1024 };

static const struct cli *watched_cli;
static int64_t timeout_ms;
static _Atomic(const char *) current_call; /* NULL between calls */
static _Atomic int64_t entered_at_ms;
static atomic_bool is_forgiving;

static void enter(void *context, const char *call)
{
    (void)context;
    atomic_store(&entered_at_ms, clock_monotonic_ms());
    atomic_store(&current_call, call);
}

static void leave(void *context)
{
    (void)context;
    atomic_store(&current_call, (const char *)NULL);
}

/* Neither stdio nor exit handlers: the hanging thread may hold any lock. */
static void give_up(const char *call)
{
    CLEANUP(buf_clear) struct buf text = BUF(REPORT_MAX);
    const char *module = profile_text(watched_cli->profile, SETTING_MODULE);
    struct keystay_error error;

    (void)err_set_hint(
        &error, KEYSTAY_E_MODULE_TIMEOUT,
        "is the HSM reachable, does another program hold the card? --timeout allows more",
        "module '%s' did not return from %s within %lld s", module == NULL ? "of the key URI" : module, call,
        (long long)(timeout_ms / 1000));
    if (report_format(watched_cli, &error, &text) == KEYSTAY_OK) {
        (void)file_write_all(STDERR_FILENO, buf_slice(&text), NULL);
    }
    _exit(atomic_load(&is_forgiving) ? 0 : keystay_status_exit(KEYSTAY_E_MODULE_TIMEOUT));
}

static void sleep_ms(int64_t ms)
{
    const struct timespec span = { .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000 };

    (void)nanosleep(&span, NULL);
}

static void *watch(void *unused)
{
    (void)unused;
    for (;;) {
        const char *call = atomic_load(&current_call);
        int64_t late_in_ms = timeout_ms;

        if (call != NULL) {
            late_in_ms = atomic_load(&entered_at_ms) + timeout_ms - clock_monotonic_ms();
        }
        if (late_in_ms <= 0) {
            give_up(call);
        }
        sleep_ms(late_in_ms);
    }
    return NULL;
}

enum keystay_status watchdog_start(
    const struct cli *cli, const struct keystay_call_watch **ret_watch, struct keystay_error *err)
{
    static const struct keystay_call_watch call_watch = { enter, leave, NULL };
    pthread_t thread;
    sigset_t all;
    sigset_t before;

    watched_cli = cli;
    timeout_ms = (int64_t)profile_number(cli->profile, SETTING_TIMEOUT) * 1000;
    /* Signals are for the main thread. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&thread, NULL, watch, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result != 0) {
        return err_set(err, KEYSTAY_E_INTERNAL, "no thread can be started: %s", file_errno_text(result));
    }
    (void)pthread_detach(thread);
    *ret_watch = &call_watch;
    return KEYSTAY_OK;
}

void watchdog_forgive(void)
{
    atomic_store(&is_forgiving, true);
}
