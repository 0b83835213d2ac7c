/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Announcing a call costs two stores and a look at the clock, no system call but for C_Sign: the thread
 * sleeps until the call that it last saw would be late, so it is never late itself by more than it takes to
 * wake up.
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
#include "base/str.h"
#include "cli/report.h"

enum { REPORT_MAX = 16 * 1024 };

static const struct cli *watched_cli;
static int64_t timeout_ms;
static _Atomic(const char *) current_call; /* NULL between calls */
static _Atomic int64_t entered_at_ms;
static const struct keystay_error *work_error;
static atomic_bool is_forgiving;

/* For some calls the thread is woken, to say in time why they last. */
static pthread_mutex_t wake_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake;
static bool is_woken;
static bool has_hinted; /* in this call; the thread's own */

/*
 * Calls that may last, and what a person is told then. There is no way to know beforehand whether a key wants
 * a touch: PKCS#11 does not tell. A smartcard may look for primes for longer than any other call takes.
 */
struct slow_call {
    const char *name;
    const char *hint;
    int64_t hint_after_ms;
    int64_t patience; /* times --timeout */
};
static const struct slow_call slow_calls[] = {
    { "C_Sign", "keystay: if the key waits for a touch, touch it now\n", 500, 1 },
    { "C_GenerateKeyPair", "keystay: the token is making the key; this may take minutes\n", 1000, 10 },
};

/* NULL for a call that is as quick as the others. */
static const struct slow_call *find_slow(const char *call)
{
    for (size_t i = 0; i < ARRAY_LEN(slow_calls); i++) {
        if (str_equal(call, slow_calls[i].name)) {
            return &slow_calls[i];
        }
    }
    return NULL;
}

static void enter(void *context, const char *call)
{
    (void)context;
    atomic_store(&entered_at_ms, clock_monotonic_ms());
    atomic_store(&current_call, call);
    if (find_slow(call) != NULL) {
        (void)pthread_mutex_lock(&wake_lock);
        is_woken = true;
        (void)pthread_cond_signal(&wake);
        (void)pthread_mutex_unlock(&wake_lock);
    }
}

static void leave(void *context)
{
    (void)context;
    atomic_store(&current_call, (const char *)NULL);
}

static void say(const struct keystay_error *error)
{
    CLEANUP(buf_clear) struct buf text = BUF(REPORT_MAX);

    if (report_format(watched_cli, error, &text) == KEYSTAY_OK) {
        (void)file_write_all(STDERR_FILENO, buf_slice(&text), NULL);
    }
}

/* Neither stdio nor exit handlers: the hanging thread may hold any lock. */
__attribute__((noreturn)) static void give_up(const char *call, int64_t limit_ms)
{
    const char *module = profile_text(watched_cli->profile, SETTING_MODULE);
    struct keystay_error error;

    (void)err_set_hint(
        &error, KEYSTAY_E_MODULE_TIMEOUT,
        "is the HSM reachable, does another program hold the card? --timeout allows more",
        "module '%s' did not return from %s within %lld s", module == NULL ? "of the key URI" : module, call,
        (long long)(limit_ms / 1000));
    /* A module that does not even go quietly must not hide how the work went: a wrong PIN above all. */
    bool is_over =
        str_equal(call, "C_Finalize") && (work_error->status != KEYSTAY_OK || atomic_load(&is_forgiving));
    if (is_over && work_error->status != KEYSTAY_OK) {
        say(work_error);
    }
    say(&error);
    _exit(keystay_status_exit(is_over ? work_error->status : error.status));
}

/* Sleeps so long, or until a call begins that may last. */
static void sleep_ms(int64_t ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_mutex_lock(&wake_lock);
    while (!is_woken && pthread_cond_timedwait(&wake, &wake_lock, &until) == 0) {
    }
    is_woken = false;
    (void)pthread_mutex_unlock(&wake_lock);
}

static void say_why(const struct slow_call *slow)
{
    if (!has_hinted && isatty(STDERR_FILENO)) {
        (void)file_write_all(STDERR_FILENO, slice_of_str(slow->hint), NULL);
    }
    has_hinted = true;
}

static void hint_slow(void *context, const char *call)
{
    const struct slow_call *slow = find_slow(call);

    (void)context;
    if (slow != NULL) {
        has_hinted = false;
        say_why(slow);
    }
}

const struct keystay_call_watch watchdog_of_another = { .slow = hint_slow };

/* What to do about the call in progress; returns for how long nothing else will need doing. */
static int64_t look(void)
{
    const char *call = atomic_load(&current_call);
    int64_t elapsed_ms = clock_monotonic_ms() - atomic_load(&entered_at_ms);

    if (call == NULL) {
        has_hinted = false;
        return timeout_ms;
    }
    const struct slow_call *slow = find_slow(call);
    int64_t limit_ms = slow == NULL ? timeout_ms : timeout_ms * slow->patience;
    if (elapsed_ms >= limit_ms) {
        give_up(call, limit_ms);
    }
    if (slow == NULL) {
        return limit_ms - elapsed_ms;
    }
    if (elapsed_ms < slow->hint_after_ms) {
        has_hinted = false;
        return slow->hint_after_ms - elapsed_ms;
    }
    say_why(slow);
    return limit_ms - elapsed_ms;
}

static void *watch(void *unused)
{
    (void)unused;
    for (;;) {
        sleep_ms(look());
    }
    return NULL;
}

enum keystay_status watchdog_start(
    const struct cli *cli, struct keystay_error *err, const struct keystay_call_watch **ret_watch)
{
    static const struct keystay_call_watch call_watch = { .enter = enter, .leave = leave };
    pthread_t thread;
    pthread_condattr_t monotonic;
    sigset_t all;
    sigset_t before;

    watched_cli = cli;
    work_error = err;
    timeout_ms = (int64_t)profile_number(cli->profile, SETTING_TIMEOUT) * 1000;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
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
