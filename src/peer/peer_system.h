/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEER_PEER_SYSTEM_H
#define PEER_PEER_SYSTEM_H

/*
 * What each system tells of a caller in its own way. One of peer_linux.c and peer_bsd.c is built; peer.c
 * judges what they say.
 */

#include "peer/ends.h"
#include "peer/peer.h"

/* The uid and gid by which the system shows whoever it cannot name. */
uid_t peer_system_nobody(void);
gid_t peer_system_nogroup(void);

/* Fills uid, gid, pid, groups and unit of a connected Unix socket, as the system gives them. */
enum keystay_status peer_system_unix(int fd, struct peer *ret_peer, struct keystay_error *err);

/* Fills uid and cgroup_id of who has the other end of a connection between these ends. */
enum keystay_status peer_system_tcp(
    int fd, const struct ends *ends, struct peer *ret_peer, struct keystay_error *err);

void peer_system_find_unit(struct peer *peer);

#endif
