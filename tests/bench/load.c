/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks an HTTP server one and the same thing over connections that are kept, and says how often and how fast
 * it was answered. For benches: what it sends is given, and of an answer it knows the status and
 * Content-Length.
 *
 *     load unix:PATH|tcp:PORT REQUEST-PATH CONNECTIONS SECONDS RATE
 *
 * RATE 0: each connection asks again as soon as it is answered. Else so many requests in a second begin at
 * their own times, whatever the answers do, and what is measured is from that time on.
 *
 * Prints "REQUESTS-PER-SECOND P50-US P99-US MAX-US".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1000, ANSWER_MAX = 256 * 1024, TIMES_MAX = 8 * 1024 * 1024, EVENTS = 64 };

struct connection {
    int fd;
    bool is_busy;
    int64_t asked_ns;
    size_t n;     /* bytes of the answer so far */
    size_t whole; /* bytes that it will have; 0: not known yet */
    char answer[ANSWER_MAX + 1];
};

static char request[1024];
static size_t request_len;
static struct connection connections[CONNECTIONS_MAX];
static uint32_t *times_us;
static size_t n_times;

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void fail(const char *what)
{
    (void)fprintf(stderr, "load: %s: %s\n", what, strerror(errno)); /* NOLINT: one thread */
    exit(EXIT_FAILURE);                                             /* NOLINT: one thread */
}

static int connect_to(const char *where)
{
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    struct sockaddr_in inet = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const bool is_unix = strncmp(where, "unix:", 5) == 0;
    const int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM, 0);

    (void)snprintf(local.sun_path, sizeof(local.sun_path), "%s", where + 5);
    inet.sin_port = htons((uint16_t)strtoul(where + 4, NULL, 10));
    if (fd < 0 || connect(
                      fd, is_unix ? (struct sockaddr *)&local : (struct sockaddr *)&inet,
                      is_unix ? sizeof(local) : sizeof(inet)) != 0) {
        fail(where);
    }
    return fd;
}

static void ask(struct connection *connection, int64_t at_ns)
{
    connection->is_busy = true;
    connection->asked_ns = at_ns;
    connection->n = connection->whole = 0;
    if (write(connection->fd, request, request_len) != (ssize_t)request_len) {
        fail("write");
    }
}

/* How long the answer is, once its head is there. */
static void read_head(struct connection *connection)
{
    connection->answer[connection->n] = '\0';
    const char *end = strstr(connection->answer, "\r\n\r\n");
    const char *length = strcasestr(connection->answer, "\r\nContent-Length:");

    if (end == NULL) {
        return;
    }
    if (strncmp(connection->answer, "HTTP/1.1 200", 12) != 0 || length == NULL) {
        (void)fprintf(stderr, "load: %.300s\n", connection->answer);
        exit(EXIT_FAILURE); /* NOLINT: one thread */
    }
    connection->whole = (size_t)(end + 4 - connection->answer) + strtoul(length + 17, NULL, 10);
}

/* True when the answer is whole. */
static bool take(struct connection *connection)
{
    const ssize_t got = read(connection->fd, connection->answer + connection->n, ANSWER_MAX - connection->n);

    if (got <= 0) {
        fail("read");
    }
    connection->n += (size_t)got;
    if (connection->whole == 0) {
        read_head(connection);
    }
    if (connection->whole == 0 || connection->n < connection->whole) {
        return false;
    }
    if (n_times < TIMES_MAX) {
        times_us[n_times++] = (uint32_t)((now_ns() - connection->asked_ns) / 1000);
    }
    connection->is_busy = false;
    return true;
}

/* Those whose time has come go to connections that are free; when none is, they wait and get older. */
static void ask_on_time(int n, int64_t begin_ns, double rate, uint64_t *asked)
{
    for (int i = 0; i < n; i++) {
        const int64_t due_ns = begin_ns + (int64_t)((double)*asked * 1e9 / rate);

        if (due_ns > now_ns()) {
            return;
        }
        if (!connections[i].is_busy) {
            ask(&connections[i], due_ns);
            (*asked)++;
        }
    }
}

static void run(int n, double seconds, double rate)
{
    struct epoll_event events[EVENTS];
    const int poller = epoll_create1(0);
    const int64_t begin_ns = now_ns();
    const int64_t end_ns = begin_ns + (int64_t)(seconds * 1e9);
    uint64_t asked = 0;

    for (int i = 0; i < n; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data = { .ptr = &connections[i] } };

        (void)epoll_ctl(poller, EPOLL_CTL_ADD, connections[i].fd, &event);
        if (rate <= 0) {
            ask(&connections[i], now_ns());
        }
    }
    while (now_ns() < end_ns) {
        if (rate > 0) {
            ask_on_time(n, begin_ns, rate, &asked);
        }
        const int ready = epoll_wait(poller, events, EVENTS, rate > 0 ? 0 : 100);
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;

            if (take(connection) && rate <= 0) {
                ask(connection, now_ns());
            }
        }
        if (ready == 0 && rate > 0) {
            (void)usleep(50);
        }
    }
}

static int compare(const void *a, const void *b)
{
    const uint32_t left = *(const uint32_t *)a;
    const uint32_t right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        (void)fprintf(stderr, "usage: load unix:PATH|tcp:PORT REQUEST-PATH CONNECTIONS SECONDS RATE\n");
        return 2;
    }
    const int n = (int)strtol(argv[3], NULL, 10);
    const double seconds = strtod(argv[4], NULL);

    request_len =
        (size_t)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", argv[2]);
    times_us = calloc(TIMES_MAX, sizeof(*times_us));
    if (n < 1 || n > CONNECTIONS_MAX || request_len >= sizeof(request) || times_us == NULL) {
        return 2;
    }
    for (int i = 0; i < n; i++) {
        connections[i].fd = connect_to(argv[1]);
    }
    run(n, seconds, strtod(argv[5], NULL));
    qsort(times_us, n_times, sizeof(*times_us), compare);
    if (n_times == 0) {
        fail("no answer");
    }
    (void)printf(
        "%.0f %u %u %u\n", (double)n_times / seconds, times_us[n_times / 2], times_us[n_times * 99 / 100],
        times_us[n_times - 1]);
    return 0;
}
