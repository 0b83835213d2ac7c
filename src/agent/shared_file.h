/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SHARED_FILE_H
#define AGENT_SHARED_FILE_H

/*
 * A file with a secret that the agent hands out to those whom a [grant] names. Whoever opens it finds the
 * whole of it, that of before or the new one: it is written beside its place, and then put there.
 *
 * The grant's group may read it where it names one and no other; else the agent's user alone, and root, who
 * reads a unit's EnvironmentFile=.
 */

#include "agent/agent_config.h"
#include "base/buf.h"

struct shared_file {
    char *path; /* owned */
    bool has_group;
    gid_t group;
};

/* path is absolute. The caller clears it, also after a failure; a cleared one is all zero. */
enum keystay_status shared_file_init(
    struct shared_file *file, const char *path, const struct grant *grant, struct keystay_error *err);
void shared_file_clear(struct shared_file *file);

/* Whether it is the file that another would be. */
bool shared_file_is(const struct shared_file *file, const char *path, const struct grant *grant);

/* KEYSTAY_E_CONFIG. */
enum keystay_status shared_file_write(
    const struct shared_file *file, struct slice content, struct keystay_error *err);
void shared_file_remove(const struct shared_file *file);

/*
 * What an agent of before has written there, appended to a buffer whose cap is the limit; false: there is
 * nothing that nobody else can have touched. Nothing is followed, and nothing is waited for.
 */
bool shared_file_read(const struct shared_file *file, struct buf *ret_content);

/* The same of one whose grant is not known any more. */
bool shared_file_read_left(const char *path, struct buf *ret_content);

/* Whether what is written there gets onto a disk; where that is not known it does. */
bool shared_file_is_on_disk(const struct shared_file *file);

#endif
