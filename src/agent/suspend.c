/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logind sends PrepareForSleep when the machine is about to sleep, and then waits, by default five seconds at
 * most (InhibitDelayMaxSec), until nobody holds a descriptor of its Inhibit() any more. So one is held all
 * the time, closed when everything is locked, and asked for anew when the machine has woken up.
 * https://www.freedesktop.org/software/systemd/man/org.freedesktop.login1.html
 *
 * All of it is done by one thread, which nobody waits for: the bus may hang, and a module takes the time that
 * it takes to end. No call on the bus is waited for either, so that this thread can be ended at any time.
 * What goes wrong ends the connection, and another is tried later; it is said once, and once more when all is
 * well again.
 */
#include "agent/suspend.h"

#ifdef HAVE_SYSTEMD

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "agent/autolock.h"
#include "agent/journal.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"

enum {
    CALL_US = 5 * 1000 * 1000,
    TRY_AGAIN_MS = 1000, /* doubles */
    TRY_AGAIN_MAX_MS = 60000,
};

enum standing { STANDING_UNKNOWN, STANDING_GOOD, STANDING_BAD };

struct suspend {
    struct agent *agent;
    pthread_t thread;
    int poke_fd; /* an eventfd: one of these has changed */
    atomic_bool is_wanted;
    atomic_bool is_ending;
    /* the thread's own: */
    sd_bus *bus;       /* NULL: not connected */
    int delay_fd;      /* logind waits while it is open; -1: none */
    bool is_going;     /* to sleep, or asleep */
    int failure;       /* a negative errno that ends the connection; 0: none */
    int64_t pause_ms;  /* before the next connection */
    int64_t try_at_ms; /* not before */
    enum standing told;
};

static const char logind[] = "org.freedesktop.login1";
static const char logind_path[] = "/org/freedesktop/login1";
static const char logind_manager[] = "org.freedesktop.login1.Manager";
/* It was started anew, and may not know any more whom it has to wait for. */
static const char logind_comes_and_goes[] =
    "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
    "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
    "arg0='org.freedesktop.login1'";

static void tell_good(struct suspend *suspend)
{
    suspend->pause_ms = 0;
    if (suspend->told != STANDING_GOOD) {
        suspend->told = STANDING_GOOD;
        journal_note(
            suspend->agent->log,
            "lock_on_suspend: the machine's sleep waits for what is to be locked before");
    }
}

static void tell_bad(struct suspend *suspend, const char *why)
{
    if (suspend->told != STANDING_BAD) {
        suspend->told = STANDING_BAD;
        log_warning(
            suspend->agent->log,
            "lock_on_suspend: nobody says that the machine is about to sleep (%s), so profiles are locked when it "
            "wakes up",
            why);
    }
}

static void disconnect(struct suspend *suspend)
{
    file_closep(&suspend->delay_fd);
    suspend->bus = sd_bus_close_unref(suspend->bus);
    suspend->is_going = false;
    suspend->failure = 0;
}

/* An answer to Inhibit(). While the machine goes to sleep there is none to be had. */
static int take_delay(sd_bus_message *message, void *context, sd_bus_error *error)
{
    struct suspend *suspend = context;
    int fd = -1;

    (void)error;
    if (sd_bus_message_is_method_error(message, NULL)) {
        suspend->failure = suspend->is_going ? 0 : -sd_bus_message_get_errno(message);
        return 0;
    }
    if (sd_bus_message_read(message, "h", &fd) < 0 || (fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0) {
        suspend->failure = -EBADMSG;
        return 0;
    }
    file_closep(&suspend->delay_fd);
    suspend->delay_fd = fd;
    tell_good(suspend);
    return 0;
}

static int ask_for_delay(struct suspend *suspend)
{
    return sd_bus_call_method_async(
        suspend->bus, NULL, logind, logind_path, logind_manager, "Inhibit", take_delay, suspend, "ssss",
        "sleep", "keystay", "PINs that a person gave are forgotten first", "delay");
}

/* PrepareForSleep: true before, false afterwards. */
static int hear_sleep(sd_bus_message *message, void *context, sd_bus_error *error)
{
    struct suspend *suspend = context;
    int begins = 0;

    (void)error;
    if (sd_bus_message_read(message, "b", &begins) < 0) {
        return 0;
    }
    suspend->is_going = begins != 0;
    if (!suspend->is_going) {
        return ask_for_delay(suspend);
    }
    autolock_before_sleep(suspend->agent);
    file_closep(&suspend->delay_fd);
    return 0;
}

static int hear_owner(sd_bus_message *message, void *context, sd_bus_error *error)
{
    struct suspend *suspend = context;
    const char *name = NULL;
    const char *before = NULL;
    const char *now = NULL;

    (void)error;
    if (sd_bus_message_read(message, "sss", &name, &before, &now) < 0) {
        return 0;
    }
    suspend->is_going = false;
    if (now[0] != '\0') {
        return ask_for_delay(suspend);
    }
    file_closep(&suspend->delay_fd);
    tell_bad(suspend, "systemd-logind has ended");
    return 0;
}

/* Without a callback of their own, subscriptions that are refused end the connection. */
static int subscribe(struct suspend *suspend)
{
    int result = sd_bus_set_method_call_timeout(suspend->bus, CALL_US);

    if (result >= 0) {
        result = sd_bus_match_signal_async(
            suspend->bus, NULL, logind, logind_path, logind_manager, "PrepareForSleep", hear_sleep, NULL,
            suspend);
    }
    if (result >= 0) {
        result = sd_bus_add_match_async(suspend->bus, NULL, logind_comes_and_goes, hear_owner, NULL, suspend);
    }
    return result < 0 ? result : ask_for_delay(suspend);
}

static void fail(struct suspend *suspend, int result)
{
    tell_bad(suspend, file_errno_text(-result));
    disconnect(suspend);
    suspend->pause_ms = suspend->pause_ms == 0 ? TRY_AGAIN_MS : 2 * suspend->pause_ms;
    suspend->pause_ms = suspend->pause_ms < TRY_AGAIN_MAX_MS ? suspend->pause_ms : TRY_AGAIN_MAX_MS;
    suspend->try_at_ms = clock_boot_ms() + suspend->pause_ms;
}

/* Everything that can be done now. */
static void work(struct suspend *suspend)
{
    int result = 0;

    if (suspend->bus == NULL && clock_boot_ms() >= suspend->try_at_ms) {
        result = sd_bus_open_system(&suspend->bus);
        result = result < 0 ? result : subscribe(suspend);
    }
    while (result >= 0 && suspend->bus != NULL && !atomic_load(&suspend->is_ending)) {
        result = sd_bus_process(suspend->bus, NULL);
        result = suspend->failure != 0 ? suspend->failure : result;
        if (result == 0) {
            return;
        }
    }
    if (result < 0) {
        fail(suspend, result);
    }
}

/* How long nothing has to be done unless somebody says something; -1: for ever. */
static int idle_ms(const struct suspend *suspend)
{
    uint64_t until_us = UINT64_MAX;

    if (!atomic_load(&suspend->is_wanted)) {
        return -1;
    }
    int64_t left_ms = suspend->try_at_ms - clock_boot_ms();
    if (suspend->bus != NULL) {
        if (sd_bus_get_timeout(suspend->bus, &until_us) < 0 || until_us == UINT64_MAX) {
            return -1;
        }
        left_ms = (int64_t)(until_us / 1000) + 1 - clock_monotonic_ms();
    }
    return left_ms < 0 ? 0 : left_ms < TRY_AGAIN_MAX_MS ? (int)left_ms : TRY_AGAIN_MAX_MS;
}

static void wait_for_news(const struct suspend *suspend)
{
    struct pollfd fds[] = { { .fd = suspend->poke_fd, .events = POLLIN }, { .fd = -1 } };
    uint64_t n_pokes = 0;

    if (suspend->bus != NULL) {
        const int events = sd_bus_get_events(suspend->bus);

        fds[1] =
            (struct pollfd){ .fd = sd_bus_get_fd(suspend->bus), .events = (short)(events < 0 ? 0 : events) };
    }
    if (poll(fds, ARRAY_LEN(fds), idle_ms(suspend)) > 0 && fds[0].revents != 0) {
        ssize_t n = read(suspend->poke_fd, &n_pokes, sizeof(n_pokes));
        (void)n;
    }
}

static void *run(void *context)
{
    struct suspend *suspend = context;

    while (!atomic_load(&suspend->is_ending)) {
        if (atomic_load(&suspend->is_wanted)) {
            work(suspend);
        } else {
            disconnect(suspend);
            suspend->told = STANDING_UNKNOWN;
        }
        wait_for_news(suspend);
    }
    disconnect(suspend);
    return NULL;
}

static void poke(const struct suspend *suspend)
{
    static const uint64_t one = 1;
    ssize_t n = write(suspend->poke_fd, &one, sizeof(one));

    (void)n; /* only when there are 2^64 pokes already */
}

static struct suspend *begin(struct agent *agent)
{
    struct suspend *suspend = calloc(1, sizeof(*suspend));

    if (suspend == NULL) {
        return NULL;
    }
    suspend->agent = agent;
    suspend->delay_fd = -1;
    suspend->poke_fd = eventfd(0, EFD_CLOEXEC);
    atomic_init(&suspend->is_wanted, true);
    if (suspend->poke_fd < 0 || pthread_create(&suspend->thread, NULL, run, suspend) != 0) {
        file_closep(&suspend->poke_fd);
        free(suspend);
        return NULL;
    }
    return suspend;
}

void suspend_tick(struct agent *agent, bool is_wanted)
{
    struct suspend *suspend = agent->suspend;

    if (suspend == NULL && is_wanted) {
        agent->suspend = begin(agent); /* where that fails: again in a second */
    } else if (suspend != NULL && atomic_exchange(&suspend->is_wanted, is_wanted) != is_wanted) {
        poke(suspend);
    }
}

void suspend_end(struct agent *agent)
{
    struct suspend *suspend = take_ptr(&agent->suspend);

    if (suspend != NULL) {
        atomic_store(&suspend->is_ending, true);
        poke(suspend);
        (void)pthread_join(suspend->thread, NULL);
        file_closep(&suspend->poke_fd);
        free(suspend);
    }
}

#else

void suspend_tick(struct agent *agent, bool is_wanted)
{
    (void)agent;
    (void)is_wanted;
}

void suspend_end(struct agent *agent)
{
    (void)agent;
}

#endif
