/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/service.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "base/error.h"

#ifdef HAVE_SYSTEMD

int service_count_sockets(void)
{
    int n = sd_listen_fds(1);

    return n < 0 ? 0 : n;
}

int service_socket(int i)
{
    return SD_LISTEN_FDS_START + i;
}

static bool is_loopback(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = { 0 };
    socklen_t size = sizeof(at);

    if (getsockname(fd, &at.any, &size) != 0) {
        return false;
    }
    return at.any.sa_family == AF_INET    ? ntohl(at.v4.sin_addr.s_addr) == INADDR_LOOPBACK
           : at.any.sa_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&at.v6.sin6_addr)
                                          : false;
}

enum keystay_status service_socket_kind(int fd, enum peer_kind *ret_kind, struct keystay_error *err)
{
    if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0) {
        *ret_kind = PEER_UNIX;
        return KEYSTAY_OK;
    }
    if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0 && is_loopback(fd)) {
        *ret_kind = PEER_TCP;
        return KEYSTAY_OK;
    }
    return err_set_hint(
        err, KEYSTAY_E_CONFIG, "ListenStream= of the socket unit: a path, 127.0.0.1:PORT or [::1]:PORT",
        "the service manager hands over a socket that is neither a Unix socket nor of this machine alone");
}

void service_say_ready(const char *status)
{
    (void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void service_say_reloading(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(
        0, "RELOADING=1\nMONOTONIC_USEC=%llu",
        (unsigned long long)now.tv_sec * 1000000U + (unsigned long long)now.tv_nsec / 1000U);
}

void service_say_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}

void service_pat_watchdog(int64_t now_ms)
{
    static int64_t next_ms;
    static uint64_t interval_us;

    if (next_ms == 0 && sd_watchdog_enabled(0, &interval_us) <= 0) {
        next_ms = INT64_MAX;
    }
    if (now_ms >= next_ms) {
        (void)sd_notify(0, "WATCHDOG=1");
        next_ms = now_ms + (int64_t)(interval_us / 3000);
    }
}

#else

int service_count_sockets(void)
{
    return 0;
}

int service_socket(int i)
{
    return i;
}

enum keystay_status service_socket_kind(int fd, enum peer_kind *ret_kind, struct keystay_error *err)
{
    (void)fd;
    (void)ret_kind;
    return err_set(err, KEYSTAY_E_INTERNAL, "this agent was built without systemd");
}

void service_say_ready(const char *status)
{
    (void)status;
}

void service_say_reloading(void)
{
}

void service_say_stopping(void)
{
}

void service_pat_watchdog(int64_t now_ms)
{
    (void)now_ms;
}

#endif
