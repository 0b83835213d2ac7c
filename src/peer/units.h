/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEER_UNITS_H
#define PEER_UNITS_H

/*
 * The units of control groups, remembered by number: to find one is a walk through all groups, which takes
 * milliseconds where there are many, and callers come again and again.
 *
 * A number is never another group's: the kernel counts on when a group is made anew, also under a name of
 * before, and so for a unit that is started again (kernfs: 64 bits, the upper ones count the rounds of the
 * lower). And a group of v2 is never renamed. So what was found is true for ever. What was not found may be
 * so because there was too much to look through, and is looked for again after some time.
 */

#include <pthread.h>

#include "peer/unit.h"

enum {
    UNITS_MAX = 128, /* one more, and the one that came first is forgotten */
    UNITS_MISSED_MS = 10000,
};

struct units {
    pthread_mutex_t lock; /* over all below; not held during a walk */
    size_t next;
    struct known_unit {
        uint64_t id; /* 0: nothing is known here yet */
        int64_t until_ms;
        char unit[UNIT_SIZE];
    } known[UNITS_MAX];
};

#define UNITS                             \
    {                                     \
        .lock = PTHREAD_MUTEX_INITIALIZER \
    }

/* As unit_of_cgroup_id. now_ms is of a clock that never steps back. */
void units_find(struct units *units, const char *root, uint64_t id, int64_t now_ms, char ret_unit[UNIT_SIZE]);

#endif
