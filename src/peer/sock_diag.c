/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The question is for one socket by its four numbers, the ends of the connection the other way round. The
 * kernel finds it in a hash table, however many there are. What may not count as an owner:
 *
 * - a listening socket, which the kernel offers where no connection fits: its state says so;
 * - a socket that its program has closed, or that no program has accepted yet: it belongs to no file, which
 * the kernel tells as inode 0, with uid 0, as if it were root's;
 * - a socket of another network namespace that happens to have the same numbers.
 *
 * The kernel answers while it takes the question. What is not there when send returns does not come: nothing
 * waits.
 */
#include "peer/sock_diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/file.h"

enum {
    ANSWER_MAX = 1024, /* bytes; measured: 124 */
    SEQUENCE = 1,      /* a socket asks one question in its life */
    /* `lo` has this index in each network namespace. Named, it finds callers that are bound to it (curl
     * --interface lo) as well as those that are not; 0 would find only the latter. */
    LOOPBACK_INDEX = 1,
};

static enum keystay_status nonsense(const char *what, struct keystay_error *err)
{
    return err_set(err, KEYSTAY_E_INTERNAL, "the kernel's answer about a caller makes no sense: %s", what);
}

static bool take(struct slice *rest, void *ret_value, size_t len)
{
    if (rest->len < len) {
        return false;
    }
    memcpy(ret_value, rest->data, len);
    rest->data += len;
    rest->len -= len;
    return true;
}

static enum keystay_status parse_failure(struct slice rest, struct keystay_error *err)
{
    int32_t number = 0; /* negative */

    if (!take(&rest, &number, sizeof(number)) || number >= 0 || number < -4095) {
        return nonsense("an error without a number", err);
    }
    if (number == -ENOENT) {
        return err_set_hint(
            err, KEYSTAY_E_ANSWER_NO,
            "if this happens to every caller, the kernel's module tcp_diag is not loaded: modprobe tcp_diag",
            "the caller's socket is gone");
    }
    return err_set(
        err, KEYSTAY_E_INTERNAL, "the kernel does not tell whose a socket is: %s", file_errno_text(-number));
}

/* A socket of the v6 kind is told with v6 addresses, also where it speaks v4. */
static bool read_end(uint8_t family, const __be32 address[4], __be16 port, struct end *ret_end)
{
    static const uint8_t ipv4_prefix[12] = { [10] = 0xFF, [11] = 0xFF };

    if (family == AF_INET) {
        memcpy(ret_end->address, ipv4_prefix, sizeof(ipv4_prefix));
        memcpy(ret_end->address + sizeof(ipv4_prefix), address, 4);
    } else {
        memcpy(ret_end->address, address, sizeof(ret_end->address));
    }
    ret_end->port = ntohs(port);
    return family == AF_INET || family == AF_INET6;
}

/* `them` is the socket we look for: its source is the caller's end. */
static bool is_asked_for(const struct inet_diag_msg *them, const struct ends *ends)
{
    struct end source;
    struct end destination;

    return read_end(them->idiag_family, them->id.idiag_src, them->id.idiag_sport, &source) &&
           read_end(them->idiag_family, them->id.idiag_dst, them->id.idiag_dport, &destination) &&
           end_equal(&source, &ends->theirs) && end_equal(&destination, &ends->ours);
}

static bool parse_attributes(struct slice rest, uint64_t *ret_cgroup_id)
{
    uint64_t cgroup_id = 0;

    while (rest.len > 0) {
        struct nlattr head;

        if (!take(&rest, &head, sizeof(head)) || head.nla_len < sizeof(head) ||
            head.nla_len - sizeof(head) > rest.len) {
            return false;
        }
        struct slice value = { rest.data, head.nla_len - sizeof(head) };
        size_t step = (value.len + NLA_ALIGNTO - 1) / NLA_ALIGNTO * NLA_ALIGNTO;
        rest.data += step < rest.len ? step : rest.len;
        rest.len -= step < rest.len ? step : rest.len;
        if ((head.nla_type & NLA_TYPE_MASK) != INET_DIAG_CGROUP_ID) {
            continue;
        }
        if (cgroup_id != 0 || value.len != sizeof(cgroup_id) ||
            !take(&value, &cgroup_id, sizeof(cgroup_id))) {
            return false;
        }
    }
    *ret_cgroup_id = cgroup_id;
    return true;
}

static enum keystay_status parse_socket(
    struct slice rest, const struct ends *ends, struct sock_diag_owner *ret_owner, struct keystay_error *err)
{
    struct inet_diag_msg them;
    struct sock_diag_owner owner = { 0 };

    if (!take(&rest, &them, sizeof(them))) {
        return nonsense("too short for a socket", err);
    }
    if (!parse_attributes(rest, &owner.cgroup_id)) {
        return nonsense("attributes", err);
    }
    if (them.idiag_state == TCP_LISTEN) { /* its other end is none */
        return err_set(err, KEYSTAY_E_ANSWER_NO, "the caller's socket is gone");
    }
    if (!is_asked_for(&them, ends)) {
        return nonsense("another socket", err);
    }
    if (them.idiag_state != TCP_ESTABLISHED || them.idiag_inode == 0) {
        return err_set_hint(
            err, KEYSTAY_E_ANSWER_NO, "keep both directions of the connection open until the answer is there",
            "the caller has closed its socket");
    }
    owner.uid = them.idiag_uid;
    *ret_owner = owner;
    return KEYSTAY_OK;
}

enum keystay_status sock_diag_parse(
    struct slice answer, const struct sock_diag_question *question, struct sock_diag_owner *ret_owner,
    struct keystay_error *err)
{
    struct slice rest = answer;
    struct nlmsghdr head;

    if (!take(&rest, &head, sizeof(head)) || head.nlmsg_len != answer.len) {
        return nonsense("not one message", err);
    }
    if (head.nlmsg_seq != question->sequence || head.nlmsg_pid != question->port_id) {
        return nonsense("to another question", err);
    }
    if (head.nlmsg_type == NLMSG_ERROR) {
        return parse_failure(rest, err);
    }
    if (head.nlmsg_type != SOCK_DIAG_BY_FAMILY || (head.nlmsg_flags & NLM_F_MULTI) != 0) {
        return nonsense("of another kind", err);
    }
    return parse_socket(rest, &question->ends, ret_owner, err);
}

static enum keystay_status cannot_ask(const char *what, struct keystay_error *err)
{
    return err_set_hint(
        err, KEYSTAY_E_INTERNAL,
        "let the agent use netlink: AF_NETLINK in RestrictAddressFamilies= of its unit",
        "the kernel cannot be asked whose a socket is: %s: %s", what, file_errno_text(errno));
}

/* Connected to the kernel alone. */
static enum keystay_status open_netlink(int *ret_netlink, uint32_t *ret_port_id, struct keystay_error *err)
{
    CLEANUP(file_closep) int netlink = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    struct sockaddr_nl own = { 0 };
    socklen_t len = sizeof(own);

    if (netlink < 0) {
        return cannot_ask("socket", err);
    }
    if (connect(netlink, (const struct sockaddr *)&kernel, sizeof(kernel)) != 0 ||
        getsockname(netlink, (struct sockaddr *)&own, &len) != 0 || len != sizeof(own)) {
        return cannot_ask("connect", err);
    }
    *ret_port_id = own.nl_pid;
    *ret_netlink = netlink;
    netlink = -1;
    return KEYSTAY_OK;
}

/* A listener may have been handed to us from another network namespace, where the same numbers are another
 * connection. Kernels before 5.14 do not tell. */
static enum keystay_status check_network(int netlink, int fd, struct keystay_error *err)
{
#ifdef SO_NETNS_COOKIE
    uint64_t ours = 0;
    uint64_t theirs = 0;
    socklen_t ours_len = sizeof(ours);
    socklen_t theirs_len = sizeof(theirs);

    if (getsockopt(netlink, SOL_SOCKET, SO_NETNS_COOKIE, &ours, &ours_len) == 0 &&
        (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &theirs, &theirs_len) != 0 || ours != theirs)) {
        return err_set_hint(
            err, KEYSTAY_E_ANSWER_NO,
            "run the agent in the network namespace of its listener: without PrivateNetwork=",
            "the caller's connection belongs to another network namespace");
    }
#else
    (void)netlink;
    (void)fd;
    (void)err;
#endif
    return KEYSTAY_OK;
}

static void put_end(const struct end *end, bool is_ipv4, __be32 ret_address[4], __be16 *ret_port)
{
    const size_t len = is_ipv4 ? 4 : sizeof(end->address);

    memcpy(ret_address, end->address + sizeof(end->address) - len, len);
    *ret_port = htons(end->port);
}

/*
 * The family is that of the connection, not of either socket. Measured: asked for as v4, a connection over v4
 * is found whichever kind the sockets at its ends are, and the answer is of the caller's kind.
 */
static enum keystay_status ask(int netlink, const struct ends *ends, struct keystay_error *err)
{
    const bool is_ipv4 = end_is_ipv4(&ends->theirs);
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 body;
    } message = {
        .head = {
            .nlmsg_len = sizeof(message),
            .nlmsg_type = SOCK_DIAG_BY_FAMILY,
            .nlmsg_flags = NLM_F_REQUEST,
            .nlmsg_seq = SEQUENCE,
        },
        .body = {
            .sdiag_family = is_ipv4 ? AF_INET : AF_INET6,
            .sdiag_protocol = IPPROTO_TCP,
            .idiag_states = 1U << TCP_ESTABLISHED,
            .id = { .idiag_if = LOOPBACK_INDEX, .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } },
        },
    };

    put_end(&ends->theirs, is_ipv4, message.body.id.idiag_src, &message.body.id.idiag_sport);
    put_end(&ends->ours, is_ipv4, message.body.id.idiag_dst, &message.body.id.idiag_dport);
    if (send(netlink, &message, sizeof(message), 0) != (ssize_t)sizeof(message)) {
        return cannot_ask("send", err);
    }
    return KEYSTAY_OK;
}

/* One datagram, from the kernel, and no second one. */
static enum keystay_status receive(
    int netlink, uint8_t *bytes, size_t size, size_t *ret_len, struct keystay_error *err)
{
    struct sockaddr_nl sender = { 0 };
    socklen_t sender_len = sizeof(sender);
    uint8_t more;
    ssize_t n =
        recvfrom(netlink, bytes, size, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&sender, &sender_len);

    if (n < 0) {
        return cannot_ask("no answer", err);
    }
    if ((size_t)n > size || sender_len != sizeof(sender) || sender.nl_pid != 0) {
        return nonsense("not of the kernel, or too long", err);
    }
    if (recv(netlink, &more, sizeof(more), MSG_DONTWAIT) >= 0 || errno != EAGAIN) {
        return nonsense("several answers", err);
    }
    *ret_len = (size_t)n;
    return KEYSTAY_OK;
}

enum keystay_status sock_diag_find(
    int fd, const struct ends *ends, struct sock_diag_owner *ret_owner, struct keystay_error *err)
{
    CLEANUP(file_closep) int netlink = -1;
    struct sock_diag_question question = { .sequence = SEQUENCE, .ends = *ends };
    uint8_t answer[ANSWER_MAX];
    size_t len = 0;

    TRY(open_netlink(&netlink, &question.port_id, err));
    TRY(check_network(netlink, fd, err));
    TRY(ask(netlink, ends, err));
    TRY(receive(netlink, answer, sizeof(answer), &len, err));
    return sock_diag_parse((struct slice){ answer, len }, &question, ret_owner, err);
}
