/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * What a library would say if it could print: steps for --verbose, and warnings. The receiver decides. No
 * line ever holds a PIN, an assertion or an access token.
 */

#include "keystay/log.h"

#include "base/base.h"

/* log may be NULL. */
void log_step(const struct keystay_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warning(const struct keystay_log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_wait(const struct keystay_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
