/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/connections.h"

#include <sys/socket.h>

void connections_init(struct connections *connections)
{
    *connections = (struct connections){ 0 };
    (void)pthread_mutex_init(&connections->lock, NULL);
}

void connections_clear(struct connections *connections)
{
    (void)pthread_mutex_destroy(&connections->lock);
}

/* Those that share one's cap. */
static size_t count_like(const struct connections *connections, const struct connection *one)
{
    size_t n = 0;

    for (const struct connection *each = connections->first; each != NULL; each = each->next) {
        n += one->is_strange ? each->is_strange : !each->is_strange && each->peer.uid == one->peer.uid;
    }
    return n;
}

bool connections_add(struct connections *connections, struct connection *connection, unsigned int user_max)
{
    (void)pthread_mutex_lock(&connections->lock);
    /* Below the cap of one user nobody needs to be counted. */
    bool is_let_in = connections->n < user_max || count_like(connections, connection) < user_max;
    if (is_let_in) {
        connection->previous = NULL;
        connection->next = connections->first;
        if (connection->next != NULL) {
            connection->next->previous = connection;
        }
        connections->first = connection;
        connections->n++;
    }
    (void)pthread_mutex_unlock(&connections->lock);
    return is_let_in;
}

void connections_remove(struct connections *connections, struct connection *connection)
{
    (void)pthread_mutex_lock(&connections->lock);
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        connections->first = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    connections->n--;
    (void)pthread_mutex_unlock(&connections->lock);
}

size_t connections_count(struct connections *connections)
{
    (void)pthread_mutex_lock(&connections->lock);
    size_t n = connections->n;
    (void)pthread_mutex_unlock(&connections->lock);
    return n;
}

size_t connections_cut_late(struct connections *connections, int64_t now_ms)
{
    size_t n = 0;

    (void)pthread_mutex_lock(&connections->lock);
    for (struct connection *each = connections->first; each != NULL; each = each->next) {
        if (atomic_load(&each->deadline_ms) <= now_ms) {
            atomic_store(&each->deadline_ms, CONNECTION_NO_DEADLINE);
            (void)shutdown(each->fd, SHUT_RDWR); /* its server sees the end of it, and closes it */
            n++;
        }
    }
    (void)pthread_mutex_unlock(&connections->lock);
    return n;
}
