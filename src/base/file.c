/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/wipe.h"

enum { FILE_WAIT_MS = 30000 }; /* for a named pipe in the place of a file */

const char *file_errno_text(int error_number)
{
    static _Thread_local char text[128];

    if (strerror_r(error_number, text, sizeof(text)) != 0) {
        (void)snprintf(text, sizeof(text), "error %d", error_number);
    }
    return text;
}

void file_closep(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

/* read(2), but a pipe that gives nothing until the deadline is an error (ETIMEDOUT), not a hang. */
static ssize_t read_before(int fd, int64_t deadline_ms, uint8_t *bytes, size_t size)
{
    for (;;) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        int64_t left_ms = deadline_ms - clock_monotonic_ms();
        int n_ready = poll(&ready, 1, left_ms > 0 ? (int)left_ms : 0);
        ssize_t n = n_ready > 0 ? read(fd, bytes, size) : -1;

        if (n_ready == 0) {
            errno = ETIMEDOUT;
        }
        if (n >= 0 || (errno != EINTR && errno != EAGAIN)) {
            return n;
        }
    }
}

enum keystay_status file_read_fd(
    int fd, const char *what, enum keystay_status status, int64_t timeout_ms, struct buf *ret_content,
    struct keystay_error *err)
{
    const int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    uint8_t chunk[4096];
    enum keystay_status result = KEYSTAY_OK;

    for (;;) {
        ssize_t n = read_before(fd, deadline_ms, chunk, sizeof(chunk));
        if (n < 0) {
            result = err_set(err, status, "%s cannot be read: %s", what, file_errno_text(errno));
        }
        if (n <= 0) {
            break;
        }
        if (buf_put(ret_content, (struct slice){ chunk, (size_t)n }, NULL) != KEYSTAY_OK) {
            result = err_set(err, status, "%s is longer than %zu bytes", what, ret_content->max);
            break;
        }
    }
    wipe(chunk, sizeof(chunk));
    return result;
}

enum keystay_status file_hint(
    const char *path, int error_number, enum keystay_status status, struct keystay_error *err)
{
    switch (error_number) {
    case ENOENT:
    case ENOTDIR:
        return err_hint(
            err, status, "%s",
            path[0] == '/' ? "is the path right? ls shows what is there"
                           : "is the path right? It begins in the current folder: pwd");
    case EACCES:
    case EPERM:
    case EROFS:
        return err_hint(
            err, status, "may this user do that there? ls -l, and ls -ld of its folders, show who may");
    case ENOSPC:
    case EDQUOT:
        return err_hint(err, status, "the disk is full: df shows which");
    default:
        return status;
    }
}

enum keystay_status file_open(
    const char *path, const char *what, enum keystay_status status, int *ret_fd, struct keystay_error *err)
{
    CLEANUP(file_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat info;

    if (fd < 0) {
        const int number = errno;

        (void)err_set(err, status, "%s '%s' cannot be opened: %s", what, path, file_errno_text(number));
        return file_hint(path, number, status, err);
    }
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        return err_set_hint(err, status, "name a file in it", "%s '%s' is a folder", what, path);
    }
    *ret_fd = fd;
    fd = -1;
    return KEYSTAY_OK;
}

enum keystay_status file_read(
    const char *path, const char *what, enum keystay_status status, struct buf *ret_content,
    struct keystay_error *err)
{
    CLEANUP(file_closep) int fd = -1;

    TRY(file_open(path, what, status, &fd, err));
    return file_read_fd(fd, what, status, FILE_WAIT_MS, ret_content, err);
}

enum keystay_status file_write_all(int fd, struct slice bytes, struct keystay_error *err)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.data, bytes.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_set(
                err, KEYSTAY_E_OUTPUT, "cannot write%s: %s", fd == STDOUT_FILENO ? " to stdout" : "",
                file_errno_text(errno));
        }
        bytes.data += n;
        bytes.len -= (size_t)n;
    }
    return KEYSTAY_OK;
}

bool file_reserve_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd) {
            return false;
        }
    }
    return true;
}
