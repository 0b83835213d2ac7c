/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEER_PEER_H
#define PEER_PEER_H

/*
 * Who is calling, as the system tells it and not as the caller does. Asked once a connection, when it is
 * accepted: afterwards the answer may be about somebody else. Whoever is not known for certain is an error,
 * and is not served (docs/adr/0011).
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/base.h"
#include "peer/unit.h"

enum { PEER_GROUPS_MAX = 256 }; /* supplementary groups; who has more is refused, not served with fewer */

enum peer_kind {
    PEER_UNIX,
    PEER_TCP,
};

struct peer {
    enum peer_kind kind;
    uid_t uid; /* never nobody: that is how everybody from other user namespaces looks */
    gid_t gid;
    bool has_gid; /* Unix sockets only: of a TCP socket the system knows the user alone */
    pid_t pid;    /* who connected; 0: not known. For the log: somebody else may hold the socket by now */
    size_t n_groups;
    gid_t groups[PEER_GROUPS_MAX]; /* supplementary ones */
    char unit[UNIT_SIZE];          /* systemd's; "": none, or not known. TCP: after peer_find_unit */
    uint64_t cgroup_id;            /* TCP only; 0: not known */
};

/*
 * Of a connection that was accepted. KEYSTAY_E_ANSWER_NO: the caller is nobody that we know; anything else:
 * the system could not be asked. Either way it is to be refused. Thread-safe.
 */
enum keystay_status peer_of_unix(int fd, struct peer *ret_peer, struct keystay_error *err);
enum keystay_status peer_of_tcp(int fd, struct peer *ret_peer, struct keystay_error *err);

/* For callers that have the right to something already: on TCP it may take milliseconds the first time
 * (peer/units.h), and strangers could make it take longer. */
void peer_find_unit(struct peer *peer);

/* Whether a group is the caller's own or one of its supplementary ones. */
bool peer_has_group(const struct peer *peer, gid_t gid);

#endif
