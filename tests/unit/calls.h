/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_CALLS_H
#define UNIT_CALLS_H

/* Callers of a server, over real sockets. One is a process of its own where it is to be another user. */

#include <stdbool.h>
#include <sys/types.h>

#include "scratch.h"

#define CALLER CLEANUP(caller_end) struct caller

struct where {
    const char *name;
    int listener, caller; /* families */
    const char *at, *to;  /* NULL: a Unix socket in a folder of the test's */
};

extern const struct where unix_socket;
enum { N_TCP = 7 };
extern const struct where tcp[N_TCP];

/* Who calls. */
struct who {
    uid_t uid;
    gid_t gid;
    size_t n_groups;
    const gid_t *groups;
    const char *cgroup;
    bool is_bound_to_lo;
};

struct caller {
    pid_t pid;      /* 0: the test itself */
    int hold;       /* the process goes when this is closed */
    int own_socket; /* of the test itself */
    int listener;
    int connection; /* as the server has accepted it */
    struct scratch folder;
};

/* Calls from the test itself. */
struct caller call(const struct where *where, const struct who *who);

/* Calls from a process of its own, which holds the connection until the end. Root may be anybody. */
struct caller call_as(const struct where *where, const struct who *who);

void caller_end(struct caller *caller);

#endif
