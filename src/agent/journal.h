/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_JOURNAL_H
#define AGENT_JOURNAL_H

/*
 * What the agent tells of its work: a line for each signature, refusal and hand-out, and each warning. A
 * warning that comes again is counted, and told once a minute with its number, so that a caller who is
 * refused a thousand times a second does not fill the disk. systemd's journal is told how much each line
 * matters.
 *
 * Nobody waits for the log: what cannot be written at once, because a pipe's reader has stopped or a disk is
 * full, is lost and counted, and the number is told when writing goes on.
 *
 * It is a struct keystay_log for the rooms below; the functions here take such a log too, and say the same
 * plainly where it is not a journal's.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

enum {
    JOURNAL_LINE_MAX = 512,
    JOURNAL_REPEATS_MAX = 128, /* different warnings within a minute; of more only their number is told */
    JOURNAL_REPEATS_OF_CALLERS_MAX = 64, /* of these; what else is wrong must not be lost among them */
    JOURNAL_MINUTE_MS = 60000,
};

struct journal;

/* What is told; each includes those before. */
enum journal_tells { JOURNAL_WARNINGS, JOURNAL_NOTES, JOURNAL_STEPS };

/* Writes to fd, which is borrowed. *ret_journal is owned. */
enum keystay_status journal_new(
    int fd, enum journal_tells tells, struct journal **ret_journal, struct keystay_error *err);

/* Whether what is written to fd goes to systemd's journal, which reads "<3>" before a line as its priority.
 */
bool journal_is_systemds(int fd);

/* Tells what is still to be told. */
void journal_freep(struct journal **journal);

/* Borrowed. */
const struct keystay_log *journal_log(struct journal *journal);

/* Something that whoever looks after the machine may want to find later. */
void journal_note(const struct keystay_log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A warning of what a caller did; detail (may be "") is told with the first one and makes no difference
 * between two. */
void journal_warn(const struct keystay_log *log, const char *detail, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A warning of what a profile could not do, with the fix to try. What differs only in its words, of which a
 * caller may have chosen some, is the same. */
void journal_failure(
    const struct keystay_log *log, const char *profile, const char *what, const struct keystay_error *error);

/* Tells how often what was told before has come again. About once a second. */
void journal_tick(const struct keystay_log *log, int64_t now_ms);

#endif
