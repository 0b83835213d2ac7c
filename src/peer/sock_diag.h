/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEER_SOCK_DIAG_H
#define PEER_SOCK_DIAG_H

/* Whose the other end of a TCP connection within this host is, as Linux tells it (sock_diag(7)). */

#include <sys/types.h>

#include "peer/ends.h"

struct sock_diag_owner {
    uid_t uid;          /* of who made the socket */
    uint64_t cgroup_id; /* in which it was made; 0: not told */
};

/*
 * Asks for the owner of the caller's end of the connection fd, whose ends these are. KEYSTAY_E_ANSWER_NO:
 * there is no socket with an owner any more; KEYSTAY_E_INTERNAL: the kernel could not be asked, or made no
 * sense.
 */
enum keystay_status sock_diag_find(
    int fd, const struct ends *ends, struct sock_diag_owner *ret_owner, struct keystay_error *err);

/* One question, by which its answer is known. */
struct sock_diag_question {
    uint32_t port_id; /* of the netlink socket that asked */
    uint32_t sequence;
    struct ends ends;
};

/* Judges one datagram from the kernel: exactly one answer, to this question. */
enum keystay_status sock_diag_parse(
    struct slice answer, const struct sock_diag_question *question, struct sock_diag_owner *ret_owner,
    struct keystay_error *err);

#endif
