/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/* Time comes in as an argument where it is used; these are the programs' sources of it. */

#include "base/base.h"

/* Seconds since 1970-01-01T00:00:00Z, by the system's wall clock. */
int64_t clock_now_s(void);

/* Milliseconds of a clock that never steps back; while the machine sleeps it stands still. */
int64_t clock_monotonic_ms(void);

/* Likewise, of one that goes on meanwhile: for what ends at a moment, not after so much work. */
int64_t clock_boot_ms(void);

/*
 * A moment by the wall clock, and how far that was ahead of the clock that never steps. What was noted with a
 * greater lead was noted before the wall clock was set back: its times are too late by the difference. That
 * it was set forward cannot be told from a pause of a virtual machine, and is taken for time that has passed.
 */
struct clock_moment {
    int64_t now_s;
    int64_t lead_s;
};

struct clock_moment clock_moment(void);
int64_t clock_lead_s(void);

enum {
    CLOCK_SLACK_S = 60, /* what a clock may be set by and nobody need mind */
    CLOCK_TEXT_SIZE = sizeof("2026-01-01T00:00:00Z") + 8,
    CLOCK_DISTANCE_SIZE = 40,
};

/* "2026-01-01T00:00:00Z" (RFC 3339). */
void clock_format_utc(int64_t time_s, char ret_text[CLOCK_TEXT_SIZE]);

/* How far away a time is, in words: "now", "in 5 minutes", "2 hours ago". */
void clock_format_distance(int64_t time_s, int64_t now_s, char ret_text[CLOCK_DISTANCE_SIZE]);

#endif
