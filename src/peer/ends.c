/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/ends.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/file.h"

enum { IPV4_AT = 12 };

static const uint8_t ipv4_prefix[IPV4_AT] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF };

bool end_is_ipv4(const struct end *end)
{
    return memcmp(end->address, ipv4_prefix, sizeof(ipv4_prefix)) == 0;
}

bool end_equal(const struct end *a, const struct end *b)
{
    return a->port == b->port && memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

/* 127.0.0.0/8 (RFC 1122 §3.2.1.3 g) and ::1 (RFC 4291 §2.5.3). */
static bool is_loopback(const struct end *end)
{
    static const uint8_t one[16] = { [15] = 1 };

    return end_is_ipv4(end) ? end->address[IPV4_AT] == 127 : memcmp(end->address, one, sizeof(one)) == 0;
}

static enum keystay_status read_end(
    const struct sockaddr_storage *address, socklen_t len, struct end *ret_end, struct keystay_error *err)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->ss_family == AF_INET && len == sizeof(v4)) {
        memcpy(&v4, address, sizeof(v4));
        memcpy(ret_end->address, ipv4_prefix, sizeof(ipv4_prefix));
        memcpy(ret_end->address + IPV4_AT, &v4.sin_addr, sizeof(v4.sin_addr));
        ret_end->port = ntohs(v4.sin_port);
    } else if (address->ss_family == AF_INET6 && len == sizeof(v6)) {
        memcpy(&v6, address, sizeof(v6));
        memcpy(ret_end->address, &v6.sin6_addr, sizeof(v6.sin6_addr));
        ret_end->port = ntohs(v6.sin6_port);
    } else {
        return err_set(err, KEYSTAY_E_INTERNAL, "a connection is not of TCP");
    }
    if (!is_loopback(ret_end)) {
        return err_set_hint(
            err, KEYSTAY_E_ANSWER_NO, "call the agent at 127.0.0.1 or [::1]",
            "the caller's connection is not between loopback addresses");
    }
    return KEYSTAY_OK;
}

enum keystay_status ends_read(int fd, struct ends *ret_ends, struct keystay_error *err)
{
    struct sockaddr_storage ours = { 0 };
    struct sockaddr_storage theirs = { 0 };
    socklen_t ours_len = sizeof(ours);
    socklen_t theirs_len = sizeof(theirs);
    struct ends ends;

    if (getsockname(fd, (struct sockaddr *)&ours, &ours_len) != 0) {
        return err_set(err, KEYSTAY_E_INTERNAL, "a connection has no address: %s", file_errno_text(errno));
    }
    TRY(read_end(&ours, ours_len, &ends.ours, err));
    if (getpeername(fd, (struct sockaddr *)&theirs, &theirs_len) != 0) {
        return err_set(err, KEYSTAY_E_ANSWER_NO, "the caller hung up: %s", file_errno_text(errno));
    }
    TRY(read_end(&theirs, theirs_len, &ends.theirs, err));
    *ret_ends = ends;
    return KEYSTAY_OK;
}
