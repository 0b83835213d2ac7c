/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKCS11_ISOLATED_PROCESS_H
#define PKCS11_ISOLATED_PROCESS_H

/* One life of a signer process: started, spoken to, ended and waited for. */

#include <pthread.h>
#include <sys/types.h>

#include "pkcs11/isolated/channel.h"

enum { PROCESS_HOW_SIZE = 80 };

struct process {
    struct channel *channel;
    unsigned int number;
    size_t n_callers; /* the host's; the last one out of a process that is done with ends it */
    bool is_done_with;
    pthread_mutex_t end_lock; /* over what follows */
    pid_t pid;                /* -1: waited for */
    char how[PROCESS_HOW_SIZE];
};

/* Starts it and hears its FRAME_HELLO. *ret_process is owned (process_end). */
enum keystay_status process_start(
    const char *program, char *const environment[], unsigned int number, int64_t deadline_ms,
    struct process **ret_process, struct keystay_error *err);

/* Nobody who waits for it waits any longer. */
void process_kill(struct process *process);

/* Waits until it has ended (it is given a moment to go by itself, then killed) and says how: "signal 11",
 * "status 1". */
const char *process_wait(struct process *process, int64_t moment_ms);

/* Waits likewise, and frees it. Nobody may be in it. */
void process_end(struct process *process, int64_t moment_ms);

/*
 * The environment of a signer process: ours (a module may need any of it) less what is for this program
 * alone: variables that hold PINs (pin_variable, or NULL, names another), and the service manager's.
 * NULL-terminated, owned: freed with free(), the strings are borrowed from environ.
 */
char **process_environment(const char *pin_variable);

#endif
