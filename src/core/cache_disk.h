/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CACHE_DISK_H
#define CORE_CACHE_DISK_H

/*
 * Tokens in $XDG_RUNTIME_DIR/keystay, for programs that live for one call.
 *
 * It keeps tokens only where nothing is written to a disk: the folder must be of a tmpfs, as statfs says,
 * and the user's own; otherwise there is no cache. A file is taken only when it is a plain file, of this
 * user, for nobody else to read, and holds what it should for the very key that is asked for; any other is
 * refused with a word and never trusted. A file is replaced as a whole, by renaming, so that a process that
 * is killed leaves the old one or the new one.
 *
 * One process at a time gets a token of a key: it holds the lock of that key meanwhile. The lock goes with
 * the process that held it.
 */

#include "base/log.h"
#include "core/cache_record.h"

struct cache_disk;

/* log is borrowed for the cache's life. NULL in *ret_disk when there is no place for one; the log says why.
 * Owned. */
enum keystay_status cache_disk_open(
    const struct keystay_log *log, struct cache_disk **ret_disk, struct keystay_error *err);
void cache_disk_freep(struct cache_disk **disk);

/* What is kept under a key; false when that is nothing, or nothing that can be trusted. The record is owned.
 */
bool cache_disk_find(
    struct cache_disk *disk, const struct cache_key *key, struct clock_moment now,
    struct cache_record *ret_record);

/*
 * The lock of a key. False: another process has it. True: it is this one's until *ret_lock_fd is closed
 * (file_closep), or cannot be had at all: *ret_lock_fd is -1 then.
 */
bool cache_disk_try_lock(struct cache_disk *disk, const struct cache_key *key, int *ret_lock_fd);

/* Keeps it in place of what was there, for who holds the key's lock. What goes wrong is said, and is no
 * error: the token itself is good. */
void cache_disk_put(struct cache_disk *disk, const struct cache_key *key, const struct cache_record *record);

/* Removes what is kept for one client (the key that its keys begin with), or with NULL everything. *ret_n is
 * how many files of tokens there were. */
enum keystay_status cache_disk_clear(
    struct cache_disk *disk, const struct cache_key *client, size_t *ret_n, struct keystay_error *err);

#endif
