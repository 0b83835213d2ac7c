/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A descriptor's O_NONBLOCK is shared with whoever else has it: a shell, the processes that hold the keys. So
 * it stays as it is. What is written to a pipe goes through a descriptor of our own, opened anew; to a
 * socket, which the journal's is, with a flag for that one call; to all else when it says that there is room.
 * A pipe of another user cannot be opened: there, and on a terminal, somebody else may fill what room there
 * is between the look and the writing.
 */
#include "agent/outlet.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

static int open_anew(int fd)
{
    char path[32];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

void outlet_init(struct outlet *outlet, int fd)
{
    struct stat info = { 0 };
    const bool is_there = fstat(fd, &info) == 0;
    const int own_fd = is_there && S_ISFIFO(info.st_mode) ? open_anew(fd) : -1;

    *outlet = (struct outlet){ .fd = own_fd >= 0 ? own_fd : fd,
                               .is_own = own_fd >= 0,
                               .is_socket = is_there && S_ISSOCK(info.st_mode) };
}

void outlet_clear(struct outlet *outlet)
{
    if (outlet->is_own) {
        file_closep(&outlet->fd);
    }
}

/* Nobody reads a pipe that shows an error: to write to it would raise SIGPIPE. */
static bool may_write(const struct outlet *outlet)
{
    struct pollfd ready = { .fd = outlet->fd, .events = POLLOUT };
    const bool never_waits = outlet->is_own || outlet->is_socket;

    return poll(&ready, 1, 0) >= 0 && (ready.revents & ~POLLOUT) == 0 && (never_waits || ready.revents != 0);
}

static ssize_t write_now(const struct outlet *outlet, const char *bytes, size_t len)
{
    return outlet->is_socket ? send(outlet->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL)
                             : write(outlet->fd, bytes, len);
}

/* In one piece, so that it does not mix with the lines of other processes (pipe(7): PIPE_BUF). */
bool outlet_put(struct outlet *outlet, const char *text)
{
    char line[1 + OUTLET_LINE_MAX] = "\n"; /* which ends the one before, where its end is missing */
    const size_t start = outlet->is_torn ? 0 : 1;
    size_t end = 1;

    for (; *text != '\0' && end < sizeof(line) - 1; text++) {
        line[end++] = *text == '\n' ? ' ' : *text;
    }
    line[end++] = '\n';
    const ssize_t n = may_write(outlet) ? write_now(outlet, line + start, end - start) : -1;
    const bool is_whole = n == (ssize_t)(end - start);

    outlet->is_torn = n > 0 ? !is_whole : outlet->is_torn;
    return is_whole;
}
