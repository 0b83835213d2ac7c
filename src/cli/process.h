/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

/* What must be true of a process that holds secrets, and what a program that takes its place finds again. */

#include <stdbool.h>

#include "base/base.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_LEAK_CHECK
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_LEAK_CHECK
#endif

/* No core file, memory that wipes itself, no end by SIGPIPE. Before OpenSSL and libcurl are used.
 * is_followed: process_restore will be called. */
enum keystay_status process_prepare(bool is_followed, struct keystay_error *err);

/* Everything as it was, for the program that is executed next, if process_prepare knew of it. */
void process_restore(void);

#endif
