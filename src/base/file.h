/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * Opens a file for reading; a FIFO without a writer is opened at once.
 * `what` names it in the error ("the certificate file"); status is the kind of error to report.
 */
enum keystay_status file_open(
    const char *path, const char *what, enum keystay_status status, int *ret_fd, struct keystay_error *err);

/*
 * Appends a whole file, or all that a descriptor gives until its end, to a buffer whose cap is the limit. A
 * pipe that has not ended timeout_ms after the call is an error.
 */
enum keystay_status file_read(
    const char *path, const char *what, enum keystay_status status, struct buf *ret_content,
    struct keystay_error *err);
enum keystay_status file_read_fd(
    int fd, const char *what, enum keystay_status status, int64_t timeout_ms, struct buf *ret_content,
    struct keystay_error *err);

/* Gives an error that is set already the hint for what the system says of a path; returns status. */
enum keystay_status file_hint(
    const char *path, int error_number, enum keystay_status status, struct keystay_error *err);

/* Closes and sets to -1, for CLEANUP. */
void file_closep(int *fd);

/* Writes all of it, however many calls that takes. */
enum keystay_status file_write_all(int fd, struct slice bytes, struct keystay_error *err);

/*
 * stdin, stdout and stderr must be open, or the next file to be opened becomes one of them: a module's socket
 * would get what is meant for stdout. What takes stdout's place cannot be written to, so that writing to it
 * fails. False: they cannot be. Before anything else is opened.
 */
bool file_reserve_standard(void);

/* The text of an errno value. Thread-safe; borrowed until the thread's next call. */
const char *file_errno_text(int error_number);

#endif
