/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/isolated/host.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "pkcs11/isolated/process.h"

enum {
    START_AGAIN_MS = 100, /* after the second failure in a row; doubles */
    START_AGAIN_MAX_MS = 10000,
    GO_BY_ITSELF_MS = 2000, /* a process whose signers were closed only has to leave */
};

struct host {
    struct host *next;
    size_t n_users;
    char *program; /* owned, as the three that follow; NULL: none given */
    char *engine;
    char *module;
    char *module_args;
    pid_t pid;             /* of the program that made it: after fork its processes are another's */
    pthread_mutex_t lock;  /* over what follows */
    pthread_cond_t is_new; /* a start has ended */
    bool is_starting;
    struct process *process; /* NULL: none runs */
    unsigned int n_started;
    unsigned int n_failed;  /* in a row */
    int64_t start_after_ms; /* not before */
    uint32_t last_exchange;
};

/* All hosts, and the lock over the list and the counts of users. */
static struct host *all_hosts;
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : str_equal(a, b);
}

static bool has_key(const struct host *host, const struct host_key *key)
{
    return host->pid == getpid() && is_same(host->program, key->program) &&
           is_same(host->engine, key->engine) && is_same(host->module, key->module) &&
           is_same(host->module_args, key->module_args);
}

static void host_free(struct host *host)
{
    free(host->program);
    free(host->engine);
    free(host->module);
    free(host->module_args);
    (void)pthread_mutex_destroy(&host->lock);
    (void)pthread_cond_destroy(&host->is_new);
    free(host);
}

static bool copy(const char *text, char **ret_copy)
{
    *ret_copy = text == NULL ? NULL : strdup(text);
    return text == NULL || *ret_copy != NULL;
}

/* NULL when memory is out. */
static struct host *host_new(const struct host_key *key)
{
    struct host *host = calloc(1, sizeof(*host));
    pthread_condattr_t monotonic;

    if (host == NULL) {
        return NULL;
    }
    host->pid = getpid();
    (void)pthread_mutex_init(&host->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&host->is_new, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (!copy(key->program, &host->program) || !copy(key->engine, &host->engine) ||
        !copy(key->module, &host->module) || !copy(key->module_args, &host->module_args)) {
        host_free(host);
        return NULL;
    }
    return host;
}

enum keystay_status host_get(const struct host_key *key, struct host **ret_host, struct keystay_error *err)
{
    struct host *host = NULL;

    (void)pthread_mutex_lock(&all_lock);
    for (host = all_hosts; host != NULL && !has_key(host, key); host = host->next) {
    }
    if (host == NULL && (host = host_new(key)) != NULL) {
        host->next = all_hosts;
        all_hosts = host;
    }
    if (host != NULL) {
        host->n_users++;
        *ret_host = host;
    }
    (void)pthread_mutex_unlock(&all_lock);
    return host == NULL ? err_no_memory(err) : KEYSTAY_OK;
}

void host_drop(struct host *host)
{
    if (host == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&all_lock);
    bool is_last = --host->n_users == 0;
    for (struct host **at = &all_hosts; is_last && *at != NULL; at = &(*at)->next) {
        if (*at == host) {
            *at = host->next;
            break;
        }
    }
    (void)pthread_mutex_unlock(&all_lock);
    if (is_last) {
        if (host->process != NULL && host->pid == getpid()) {
            process_end(host->process, GO_BY_ITSELF_MS);
        }
        host_free(host);
    }
}

unsigned int process_number(const struct process *process)
{
    return process->number;
}

/* With the lock held. Sleeps until then, or until something is new. */
static void sleep_until(struct host *host, int64_t until_ms)
{
    const struct timespec until = { until_ms / 1000, (long)(until_ms % 1000) * 1000000 };

    (void)pthread_cond_timedwait(&host->is_new, &host->lock, &until);
}

/* With the lock held: the first start that follows a success is at once, later ones wait longer and longer.
 */
static void note_failure(struct host *host)
{
    int64_t wait_ms = 0;

    host->n_failed++;
    for (unsigned int i = 1; i < host->n_failed && wait_ms < START_AGAIN_MAX_MS; i++) {
        wait_ms = wait_ms == 0 ? START_AGAIN_MS : 2 * wait_ms;
    }
    host->start_after_ms =
        clock_monotonic_ms() + (wait_ms < START_AGAIN_MAX_MS ? wait_ms : START_AGAIN_MAX_MS);
}

/* With the lock held, which it gives up for the start itself. */
static enum keystay_status start(
    struct host *host, char *const environment[], int64_t deadline_ms, struct keystay_error *err)
{
    struct process *process = NULL;
    unsigned int number = ++host->n_started;

    host->is_starting = true;
    (void)pthread_mutex_unlock(&host->lock);
    enum keystay_status status =
        process_start(host->program, environment, number, deadline_ms, &process, err);
    (void)pthread_mutex_lock(&host->lock);
    host->is_starting = false;
    if (status == KEYSTAY_OK) {
        host->process = process;
    } else {
        note_failure(host);
    }
    (void)pthread_cond_broadcast(&host->is_new);
    return status;
}

static enum keystay_status must_wait(const struct host *host, struct keystay_error *err)
{
    return err_set_hint(
        err, KEYSTAY_E_MODULE, "what it said on stderr may tell why; the module's vendor has its logs",
        "the signer process of module '%s' failed %u times in a row; it is not started again yet",
        host->module == NULL ? "of the system's registry" : host->module, host->n_failed);
}

/* With the lock held. */
static enum keystay_status get_running(
    struct host *host, char *const environment[], int64_t deadline_ms, struct keystay_error *err)
{
    while (host->process == NULL) {
        int64_t now_ms = clock_monotonic_ms();

        if (now_ms >= deadline_ms || (!host->is_starting && host->start_after_ms >= deadline_ms)) {
            return must_wait(host, err);
        }
        if (host->is_starting || now_ms < host->start_after_ms) {
            sleep_until(host, host->is_starting ? deadline_ms : host->start_after_ms);
        } else {
            TRY(start(host, environment, deadline_ms, err));
        }
    }
    return KEYSTAY_OK;
}

enum keystay_status host_acquire(
    struct host *host, char *const environment[], int64_t deadline_ms, struct process **ret_process,
    struct keystay_error *err)
{
    if (host->pid != getpid()) {
        return err_set_hint(
            err, KEYSTAY_E_MODULE, "open the signer after fork, in the process that uses it",
            "the process was forked after the signer was opened");
    }
    (void)pthread_mutex_lock(&host->lock);
    enum keystay_status status = get_running(host, environment, deadline_ms, err);
    if (status == KEYSTAY_OK) {
        host->process->n_callers++;
        *ret_process = host->process;
    }
    (void)pthread_mutex_unlock(&host->lock);
    return status;
}

bool host_acquire_running(struct host *host, struct process **ret_process)
{
    (void)pthread_mutex_lock(&host->lock);
    bool does_run = host->process != NULL && host->pid == getpid();
    if (does_run) {
        host->process->n_callers++;
        *ret_process = host->process;
    }
    (void)pthread_mutex_unlock(&host->lock);
    return does_run;
}

void host_release(struct host *host, struct process *process)
{
    (void)pthread_mutex_lock(&host->lock);
    bool is_over = --process->n_callers == 0 && process->is_done_with;
    (void)pthread_mutex_unlock(&host->lock);
    if (is_over) {
        process_end(process, 0);
    }
}

void host_note_success(struct host *host)
{
    (void)pthread_mutex_lock(&host->lock);
    host->n_failed = 0;
    (void)pthread_mutex_unlock(&host->lock);
}

void host_give_up(struct host *host, struct process *process)
{
    (void)pthread_mutex_lock(&host->lock);
    bool is_first = !process->is_done_with;
    process->is_done_with = true;
    if (is_first) {
        host->process = NULL;
        note_failure(host);
    }
    (void)pthread_mutex_unlock(&host->lock);
    process_kill(process);
}

uint32_t host_new_exchange(struct host *host)
{
    (void)pthread_mutex_lock(&host->lock);
    host->last_exchange = host->last_exchange == UINT32_MAX ? 1 : host->last_exchange + 1;
    uint32_t number = host->last_exchange;
    (void)pthread_mutex_unlock(&host->lock);
    return number;
}
