/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_RATES_H
#define BENCH_RATES_H

/* How often something can be done in a second, by several threads at once, one way after the other. */

#include <stddef.h>

enum { RATES_THREADS_MAX = 128 };

struct rates_way {
    const char *name;
    void (*work)(void *context);
    void *contexts[RATES_THREADS_MAX]; /* of each thread */
};

/* Ends the program with status 1: no figure comes from a run that failed. */
_Noreturn void rates_fail(const char *what, const char *detail);

/* Seconds of a clock that never steps back. */
double rates_now_s(void);

/*
 * In each round each way has so many seconds, in an order that changes from round to round, and a line: its
 * name, how often it was done in a second, milliseconds of this process's CPU for each.
 */
void rates_measure(const struct rates_way *ways, size_t n, size_t n_threads, double seconds, size_t rounds);

#endif
