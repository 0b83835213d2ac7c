/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTPD_CONNECTIONS_H
#define HTTPD_CONNECTIONS_H

/* All connections: who is at the other end, how many each user has, and by when each must have come on. */

#include <pthread.h>
#include <stdatomic.h>

#include "peer/peer.h"

struct connection {
    struct connection *next;
    struct connection *previous;
    int fd; /* borrowed; open as long as the connection is listed */
    struct peer peer;
    bool is_strange;             /* its user may have nothing here */
    _Atomic int64_t deadline_ms; /* CONNECTION_NO_DEADLINE: somebody else looks after it */
};

#define CONNECTION_NO_DEADLINE INT64_MAX

struct connections {
    pthread_mutex_t lock; /* over the list */
    struct connection *first;
    size_t n;
};

void connections_init(struct connections *connections);
void connections_clear(struct connections *connections);

/* Lists one, unless its user has user_max already (false). All strange ones together count as one user: who
 * may be many users (subuid(5)) has no more than who is one. */
bool connections_add(struct connections *connections, struct connection *connection, unsigned int user_max);
void connections_remove(struct connections *connections, struct connection *connection);

size_t connections_count(struct connections *connections);

/* Cuts off those that are late, and says how many. */
size_t connections_cut_late(struct connections *connections, int64_t now_ms);

#endif
