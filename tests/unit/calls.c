/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* setgroups, accept4 */
#include "calls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

#define FD CLEANUP(file_closep) int

const struct where unix_socket = { "Unix", AF_UNIX, AF_UNIX, NULL, NULL };

const struct where tcp[N_TCP] = {
    { "v4", AF_INET, AF_INET, "127.0.0.1", "127.0.0.1" },
    { "v4, another loopback address", AF_INET, AF_INET, "0.0.0.0", "127.8.9.10" },
    { "v4 listener, v4 by a v6 socket", AF_INET, AF_INET6, "127.0.0.1", "::ffff:127.0.0.1" },
    { "v6", AF_INET6, AF_INET6, "::1", "::1" },
    { "listener for both, v4", AF_INET6, AF_INET, "::", "127.0.0.1" },
    { "listener for both, v4 by a v6 socket", AF_INET6, AF_INET6, "::", "::ffff:127.0.0.1" },
    { "listener for both, v6", AF_INET6, AF_INET6, "::", "::1" },
};

void caller_end(struct caller *caller)
{
    file_closep(&caller->connection);
    file_closep(&caller->listener);
    file_closep(&caller->hold);
    file_closep(&caller->own_socket);
    if (caller->pid > 0) {
        (void)waitpid(caller->pid, NULL, 0);
    }
    if (caller->folder.path[0] != '\0') {
        scratch_remove(&caller->folder);
    }
}

union address {
    struct sockaddr any;
    struct sockaddr_un local;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t fill(union address *address, int family, const char *text, uint16_t port)
{
    *address = (union address){ 0 };
    address->any.sa_family = (sa_family_t)family;
    if (family == AF_UNIX) {
        (void)snprintf(address->local.sun_path, sizeof(address->local.sun_path), "%s", text);
        return sizeof(address->local);
    }
    if (family == AF_INET) {
        address->v4.sin_port = port;
        assert_int_equal(inet_pton(AF_INET, text, &address->v4.sin_addr), 1);
        return sizeof(address->v4);
    }
    address->v6.sin6_port = port;
    assert_int_equal(inet_pton(AF_INET6, text, &address->v6.sin6_addr), 1);
    return sizeof(address->v6);
}

/* Gives back the address to call as well. */
static int listen_at(
    const struct where *where, struct caller *caller, union address *ret_to, socklen_t *ret_len)
{
    const int listener = socket(where->listener, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char path[SCRATCH_PATH_SIZE] = "";
    union address address;
    const int both = 0;
    const struct timeval patience = { .tv_sec = 10 };

    if (where->listener == AF_UNIX) {
        caller->folder = scratch_new();
        (void)chmod(caller->folder.path, 0755);
        (void)scratch_path(&caller->folder, "socket", path);
    }
    socklen_t len = fill(&address, where->listener, path[0] != '\0' ? path : where->at, 0);
    if (where->listener == AF_INET6) {
        assert_int_equal(setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof(both)), 0);
    }
    if (bind(listener, &address.any, len) != 0) {
        fail_msg("%s: bind: %s", where->name, file_errno_text(errno));
    }
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    if (where->listener == AF_UNIX) {
        assert_int_equal(chmod(path, 0777), 0);
        *ret_to = address;
        *ret_len = len;
        return listener;
    }
    assert_int_equal(getsockname(listener, &address.any, &len), 0);
    *ret_len = fill(
        ret_to, where->caller, where->to,
        where->listener == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
    return listener;
}

static int connect_as(const struct who *who, const union address *to, socklen_t len)
{
    if (who->cgroup != NULL) {
        FD procs = open(who->cgroup, O_WRONLY | O_CLOEXEC);
        if (write(procs, "0", 1) != 1) {
            return -1;
        }
    }
    const int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (who->is_bound_to_lo && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) != 0) {
        return -1;
    }
    return connect(fd, &to->any, len) == 0 ? fd : -1;
}

static void become_and_wait(const struct who *who, const union address *to, socklen_t len, int hold)
{
    char byte;

    if (geteuid() == 0 && (setgroups(who->n_groups, who->groups) != 0 || setgid(who->gid) != 0)) {
        _exit(1);
    }
    if (who->cgroup == NULL && setuid(who->uid) != 0) {
        _exit(2);
    }
    if (connect_as(who, to, len) < 0) {
        _exit(3);
    }
    _exit(read(hold, &byte, 1) == 0 ? 0 : 4);
}

struct caller call_as(const struct where *where, const struct who *who)
{
    struct caller caller = { .connection = -1, .own_socket = -1 };
    union address to;
    socklen_t len = 0;
    int ends[2];
    caller.listener = listen_at(where, &caller, &to, &len);

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    caller.hold = ends[1];
    caller.pid = fork();
    assert_true(caller.pid >= 0);
    if (caller.pid == 0) {
        (void)close(ends[1]);
        (void)alarm(30);
        become_and_wait(who, &to, len, ends[0]);
    }
    (void)close(ends[0]);
    caller.connection = accept4(caller.listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(caller.connection >= 0);
    return caller;
}

struct caller call(const struct where *where, const struct who *who)
{
    struct caller caller = { .hold = -1 };
    union address to;
    socklen_t len = 0;
    caller.listener = listen_at(where, &caller, &to, &len);

    caller.own_socket = connect_as(who, &to, len);
    if (caller.own_socket < 0) {
        fail_msg("%s: connect: %s", where->name, file_errno_text(errno));
    }
    caller.connection = accept4(caller.listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(caller.connection >= 0);
    return caller;
}
