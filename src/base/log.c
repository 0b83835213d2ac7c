/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"

__attribute__((format(printf, 3, 0))) static void send(
    const struct keystay_log *log, enum keystay_log_level level, const char *format, va_list arguments)
{
    char text[512];

    if (log == NULL || log->line == NULL) {
        return;
    }
    (void)vsnprintf(text, sizeof(text), format, arguments);
    str_tidy(text);
    log->line(log->context, level, text);
}

void log_step(const struct keystay_log *log, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    send(log, KEYSTAY_LOG_STEP, format, arguments);
    va_end(arguments);
}

void log_warning(const struct keystay_log *log, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    send(log, KEYSTAY_LOG_WARNING, format, arguments);
    va_end(arguments);
}

void log_wait(const struct keystay_log *log, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    send(log, KEYSTAY_LOG_WAIT, format, arguments);
    va_end(arguments);
}
