/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_PEER_H
#define AGENT_PEER_H

/*
 * Who is calling, as the system tells it and not as the caller does. Asked once a connection, when it is
 * accepted: afterwards the answer may be about somebody else. Whoever is not known for certain is an error,
 * and is not served (docs/adr/0011).
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/base.h"

enum {
    PEER_GROUPS_MAX = 256, /* supplementary groups; who has more is refused, not served with fewer */
    PEER_UNIT_SIZE = 256,  /* systemd's longest name has 255 bytes */
};

enum peer_kind {
    PEER_UNIX,
    PEER_TCP,
};

struct peer {
    enum peer_kind kind;
    uid_t uid; /* never that of nobody, which is what every stranger of another user namespace looks like */
    bool has_gid; /* Unix sockets only: of a TCP socket the system knows the user alone */
    gid_t gid;    /* 0 without has_gid */
    pid_t pid;    /* who connected; 0: not known. For the log: it says nothing of who holds the socket now */
    size_t n_groups;
    gid_t groups[PEER_GROUPS_MAX]; /* supplementary ones, without that of nobody */
    char unit[PEER_UNIT_SIZE];     /* systemd's unit of the caller; "": none, or not known */
};

/*
 * Of a connected Unix socket. KEYSTAY_E_ANSWER_NO: the caller is nobody that we know; anything else: the
 * system could not be asked. Either way it is to be refused. Thread-safe.
 */
enum keystay_status peer_of_unix(int fd, struct peer *ret_peer, struct keystay_error *err);

/* Whether a group is the caller's own or one of its supplementary ones. */
bool peer_has_group(const struct peer *peer, gid_t gid);

#endif
