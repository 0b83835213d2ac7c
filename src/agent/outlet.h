/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_OUTLET_H
#define AGENT_OUTLET_H

/*
 * Where the log's lines go. Whoever should read them may have stopped, or the disk may be full: the thread
 * that has something to say never waits for that. A line that does not go out at once is lost.
 *
 * One thread at a time.
 */

#include <stdbool.h>
#include <stddef.h>

struct outlet {
    int fd;
    bool is_socket;
    bool is_own;  /* opened here */
    bool is_torn; /* the last line went out in part */
};

enum { OUTLET_LINE_MAX = 1024 };

/* Over fd, which is borrowed. */
void outlet_init(struct outlet *outlet, int fd);
void outlet_clear(struct outlet *outlet);

/* Writes text and a line end, of both no more than OUTLET_LINE_MAX bytes; line ends within become spaces.
 * False: it is lost. */
bool outlet_put(struct outlet *outlet, const char *text);

#endif
