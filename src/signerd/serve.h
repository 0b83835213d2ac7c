/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGNERD_SERVE_H
#define SIGNERD_SERVE_H

/*
 * Answers the requests of one program until it is gone. A worker takes a request and sees it through; while
 * one is at it another waits for the next, so a call that hangs stands in nobody's way. The last one that is
 * free only reads: what it gets is begun when another has finished.
 */

#include "pkcs11/isolated/channel.h"

enum { SERVE_WORKERS_MAX = 128 };

/* Returns when the program has closed its end, or no second thread is to be had. */
void serve(struct channel *of);

#endif
