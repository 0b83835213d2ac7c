/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYSTAY_LOG_H
#define KEYSTAY_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

enum keystay_log_level {
    KEYSTAY_LOG_STEP,    /* what is being done, for a person who asked to see it */
    KEYSTAY_LOG_WARNING, /* it worked, but somebody should know */
    KEYSTAY_LOG_WAIT,    /* a pause of some seconds begins: for a person who is waiting */
};

/*
 * Where the library's remarks go; it prints nothing itself. `line` may be called from any thread that is
 * inside a keystay function; text is valid UTF-8 without control characters, borrowed until it returns, and
 * never holds a secret.
 */
struct keystay_log {
    void (*line)(void *context, enum keystay_log_level level, const char *text);
    void *context;
};

#ifdef __cplusplus
}
#endif

#endif
