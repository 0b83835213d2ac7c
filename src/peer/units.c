/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/units.h"

#include <stdbool.h>
#include <string.h>

/* Under the lock. */
static bool recall(const struct units *units, uint64_t id, int64_t now_ms, char ret_unit[UNIT_SIZE])
{
    for (size_t i = 0; i < UNITS_MAX; i++) {
        const struct known_unit *known = &units->known[i];

        if (known->id == id && now_ms < known->until_ms) {
            memcpy(ret_unit, known->unit, UNIT_SIZE);
            return true;
        }
    }
    return false;
}

/* Under the lock. In the place of what was known of the same number before, if there was something. */
static void remember(struct units *units, uint64_t id, int64_t until_ms, const char unit[UNIT_SIZE])
{
    size_t at = 0;

    while (at < UNITS_MAX && units->known[at].id != id) {
        at++;
    }
    if (at == UNITS_MAX) {
        at = units->next;
        units->next = (units->next + 1) % UNITS_MAX;
    }
    units->known[at].id = id;
    units->known[at].until_ms = until_ms;
    memcpy(units->known[at].unit, unit, UNIT_SIZE);
}

void units_find(struct units *units, const char *root, uint64_t id, int64_t now_ms, char ret_unit[UNIT_SIZE])
{
    (void)pthread_mutex_lock(&units->lock);
    const bool is_known = id != 0 && recall(units, id, now_ms, ret_unit);
    (void)pthread_mutex_unlock(&units->lock);
    if (is_known) {
        return;
    }
    unit_of_cgroup_id(root, id, ret_unit);
    if (id != 0) {
        (void)pthread_mutex_lock(&units->lock);
        remember(units, id, ret_unit[0] == '\0' ? now_ms + UNITS_MISSED_MS : INT64_MAX, ret_unit);
        (void)pthread_mutex_unlock(&units->lock);
    }
}
