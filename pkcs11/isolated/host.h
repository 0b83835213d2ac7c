/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_ISOLATED_HOST_H
#define PKCS11_ISOLATED_HOST_H

/*
 * The signer process of one module, as its program sees it: started when it is first needed, shared by all
 * keys of the module, ended when it does not answer in time, and started again, later and later as long as
 * nothing succeeds. Nothing here knows what the exchanges are about.
 */

#include <stdbool.h>

#include "base/base.h"

/* What tells one from another. Borrowed; NULL is "none given". */
struct host_key {
    const char *program;
    const char *engine;
    const char *module;
    const char *module_args;
};

struct host;
struct process; /* one life of it */

/* The one for the key, made or shared. *ret_host is owned (host_drop). */
enum keystay_status host_get(const struct host_key *key, struct host **ret_host, struct keystay_error *err);

/* The last user's ends the process. NULL is fine. */
void host_drop(struct host *host);

/*
 * The process, running and of our version, for one or more exchanges (host_release); environment is that of a
 * process that has to be started. Waits where a start must wait; at once an error where it must wait beyond
 * the deadline (clock_monotonic_ms).
 */
enum keystay_status host_acquire(
    struct host *host, char *const environment[], int64_t deadline_ms, struct process **ret_process,
    struct keystay_error *err);
void host_release(struct host *host, struct process *process);

/* The same if it runs; false, and nothing to release, if it does not. */
bool host_acquire_running(struct host *host, struct process **ret_process);

/* Which of its lives it is: what was opened in another one is gone. */
unsigned int process_number(const struct process *process);

/* Something succeeded: the next start need not wait. */
void host_note_success(struct host *host);

/* It does not answer, or has ended: it is killed, and everybody in it finds it gone. */
void host_give_up(struct host *host, struct process *process);

/* A number that no other exchange has. */
uint32_t host_new_exchange(struct host *host);

#endif
