/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

/* Another program, talked to over its stdin and stdout. Its stderr is ours; it gets no other descriptor. */

#include <sys/types.h>

#include "base/buf.h"

struct child {
    pid_t pid;   /* -1: none */
    int to_fd;   /* its stdin */
    int from_fd; /* its stdout */
};

#define CHILD_NONE ((struct child){ .pid = -1, .to_fd = -1, .from_fd = -1 })

/* Starts argv[0], found on PATH, without a shell. */
enum keystay_status child_start(char *const argv[], struct child *ret_child, struct keystay_error *err);

/*
 * Starts path, a program of our own, at the far end of a socket (SOCK_SEQPACKET) that is its descriptor 3.
 * Its stdin is empty, its stdout is our stderr. environment is NULL-terminated. *ret_fd is owned; the caller
 * waits for *ret_pid.
 */
enum { CHILD_SOCKET_FD = 3 };
enum keystay_status child_start_at_socket(
    const char *path, char *const environment[], pid_t *ret_pid, int *ret_fd, struct keystay_error *err);

/* Ends it (SIGKILL if it is still there) and closes. For CLEANUP. */
void child_clear(struct child *child);

/* Closes its stdin, reads its stdout to the end and waits for it; its exit status must be 0. */
enum keystay_status child_finish(
    struct child *child, int64_t timeout_ms, struct buf *ret_output, struct keystay_error *err);

/* Appends one line of its stdout, with the line end. Empty at the end of the output. */
enum keystay_status child_read_line(
    struct child *child, int64_t timeout_ms, struct buf *ret_line, struct keystay_error *err);

#endif
