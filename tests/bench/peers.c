/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long it takes to know a caller, with 1, 1,000 and 10,000 connections over TCP open on this host: a line
 * each with the count and the microseconds, the least and the middle one of several rounds. Then the same
 * over a Unix socket. The callers are another process, so that neither runs out of descriptors.
 *
 *     peers [CALLS]
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer/peer.h"
#include "rates.h"

enum { ROUNDS = 9, CALLS = 2000 };

static int checked(int result, const char *what)
{
    if (result < 0) {
        rates_fail(what, "failed");
    }
    return result;
}

/* Connects n times when n is written to the pipe, and goes when it is closed. */
static void call(const struct sockaddr_in *to, int orders)
{
    int n = 0;

    while (read(orders, &n, sizeof(n)) == (ssize_t)sizeof(n)) {
        for (int i = 0; i < n; i++) {
            int fd = checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
            checked(connect(fd, (const struct sockaddr *)to, sizeof(*to)), "connect");
        }
    }
    _exit(0);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(
    const char *name, int n_open, int fd, int n_calls,
    enum keystay_status (*know)(int fd, struct peer *ret_peer, struct keystay_error *err))
{
    double us[ROUNDS];
    struct peer peer;
    struct keystay_error err;

    for (int round = 0; round < ROUNDS; round++) {
        const double begun_s = rates_now_s();
        for (int i = 0; i < n_calls; i++) {
            if (know(fd, &peer, &err) != KEYSTAY_OK) {
                rates_fail(name, err.message);
            }
        }
        us[round] = (rates_now_s() - begun_s) * 1e6 / n_calls;
    }
    qsort(us, ROUNDS, sizeof(us[0]), compare);
    (void)printf(
        "%s %6d open: %6.2f us a caller (least), %6.2f (median)\n", name, n_open, us[0], us[ROUNDS / 2]);
}

static enum keystay_status with_unit(int fd, struct peer *ret_peer, struct keystay_error *err)
{
    enum keystay_status status = peer_of_tcp(fd, ret_peer, err);

    if (status == KEYSTAY_OK) {
        peer_find_unit(ret_peer);
    }
    return status;
}

static void raise_limit(void)
{
    struct rlimit files;

    checked(getrlimit(RLIMIT_NOFILE, &files), "getrlimit");
    files.rlim_cur = files.rlim_max;
    checked(setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
}

int main(int argc, char **argv)
{
    static const int counts[] = { 1, 1000, 10000 };
    const int n_calls = argc > 1 ? (int)strtol(argv[1], NULL, 10) : CALLS;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int orders[2], local[2];
    int n_open = 0;
    int fd = -1;

    raise_limit();
    int listener = checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
    checked(bind(listener, (const struct sockaddr *)&address, len), "bind");
    checked(listen(listener, SOMAXCONN), "listen");
    checked(getsockname(listener, (struct sockaddr *)&address, &len), "getsockname");
    checked(pipe(orders), "pipe");
    if (checked(fork(), "fork") == 0) {
        (void)close(orders[1]);
        call(&address, orders[0]);
    }
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        const int n_more = counts[i] - n_open;
        checked(write(orders[1], &n_more, sizeof(n_more)) == (ssize_t)sizeof(n_more) ? 0 : -1, "write");
        for (; n_open < counts[i]; n_open++) {
            fd = checked(accept(listener, NULL, NULL), "accept");
        }
        measure("tcp      ", n_open, fd, n_calls, peer_of_tcp);
    }
    measure("tcp, unit", n_open, fd, n_calls, with_unit);
    checked(socketpair(AF_UNIX, SOCK_STREAM, 0, local), "socketpair");
    measure("unix     ", n_open, local[0], n_calls, peer_of_unix);
    (void)close(orders[1]);
    (void)wait(NULL);
    return 0;
}
