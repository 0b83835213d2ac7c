/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error structure and the one table of statuses. Whatever goes into a message passes `tidy`, so that no
 * token label and no server can send control sequences to a terminal, and no half UTF-8 character is left
 * where a text was cut.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

struct status_row {
    const char *name;
    int exit_status;
};

static const struct status_row status_rows[] = {
    [KEYSTAY_OK] = { "ok", 0 },
    [KEYSTAY_E_USAGE] = { "usage", 2 },
    [KEYSTAY_E_CONFIG] = { "config", 3 },
    [KEYSTAY_E_MODULE_LOAD] = { "module_load", 3 },
    [KEYSTAY_E_AMBIGUOUS] = { "ambiguous", 3 },
    [KEYSTAY_E_KEY_NOT_FOUND] = { "key_not_found", 3 },
    [KEYSTAY_E_KEY_REFUSED] = { "key_refused", 3 },
    [KEYSTAY_E_KEY_MISMATCH] = { "key_mismatch", 3 },
    [KEYSTAY_E_CERTIFICATE] = { "certificate", 3 },
    [KEYSTAY_E_ALGORITHM] = { "algorithm", 3 },
    [KEYSTAY_E_PIN_SOURCE] = { "pin_source", 3 },
    [KEYSTAY_E_TOKEN_NOT_FOUND] = { "token_not_found", 4 },
    [KEYSTAY_E_MODULE] = { "module", 4 },
    [KEYSTAY_E_MODULE_TIMEOUT] = { "module_timeout", 4 },
    [KEYSTAY_E_PIN_INCORRECT] = { "pin_incorrect", 8 },
    [KEYSTAY_E_PIN_LOCKED] = { "pin_locked", 8 },
    [KEYSTAY_E_PIN_EXPIRED] = { "pin_expired", 8 },
    [KEYSTAY_E_PIN_REFUSED] = { "pin_refused", 8 },
    [KEYSTAY_E_NETWORK] = { "network", 5 },
    [KEYSTAY_E_TLS] = { "tls", 5 },
    [KEYSTAY_E_TIMEOUT] = { "timeout", 5 },
    [KEYSTAY_E_THROTTLED] = { "throttled", 5 },
    [KEYSTAY_E_SERVER_DOWN] = { "server_down", 5 },
    [KEYSTAY_E_SERVER_REFUSED] = { "server_refused", 6 },
    [KEYSTAY_E_SERVER_RESPONSE] = { "server_response", 6 },
    [KEYSTAY_E_SERVER_TOKEN_TYPE] = { "server_token_type", 6 },
    [KEYSTAY_E_OUTPUT] = { "output", 70 },
    [KEYSTAY_E_NO_MEMORY] = { "no_memory", 70 },
    [KEYSTAY_E_INTERNAL] = { "internal", 70 },
    [KEYSTAY_E_INTERRUPTED] = { "interrupted", 130 },
    [KEYSTAY_E_ANSWER_NO] = { "answer_no", 1 },
    [KEYSTAY_E_KEY_FILE] = { "key_file", 3 },
    [KEYSTAY_E_AGENT] = { "agent", 7 },
};

enum keystay_status err_status_of_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(status_rows); i++) {
        if (str_equal(status_rows[i].name, name)) {
            return (enum keystay_status)i;
        }
    }
    return KEYSTAY_E_INTERNAL;
}

static const struct status_row *row_of(enum keystay_status status)
{
    if ((unsigned int)status >= ARRAY_LEN(status_rows)) {
        return &status_rows[KEYSTAY_E_INTERNAL];
    }
    return &status_rows[status];
}

const char *keystay_status_name(enum keystay_status status)
{
    return row_of(status)->name;
}

int keystay_status_exit(enum keystay_status status)
{
    return row_of(status)->exit_status;
}

__attribute__((format(printf, 4, 0))) static void format_into(
    char *text, size_t size, size_t at, const char *format, va_list arguments)
{
    if (at + 1 >= size) {
        return;
    }
    (void)vsnprintf(text + at, size - at, format, arguments);
    str_tidy(text + at);
}

__attribute__((format(printf, 3, 0))) static void start(
    struct keystay_error *err, enum keystay_status status, const char *format, va_list arguments)
{
    *err = (struct keystay_error){ .status = status };
    format_into(err->message, sizeof(err->message), 0, format, arguments);
}

enum keystay_status err_set(struct keystay_error *err, enum keystay_status status, const char *format, ...)
{
    va_list arguments;

    if (err != NULL) {
        va_start(arguments, format);
        start(err, status, format, arguments);
        va_end(arguments);
    }
    return status;
}

enum keystay_status err_set_hint(
    struct keystay_error *err, enum keystay_status status, const char *hint, const char *format, ...)
{
    va_list arguments;

    if (err != NULL) {
        va_start(arguments, format);
        start(err, status, format, arguments);
        va_end(arguments);
        return err_hint(err, status, "%s", hint);
    }
    return status;
}

enum keystay_status err_hint(struct keystay_error *err, enum keystay_status status, const char *format, ...)
{
    va_list arguments;

    if (err != NULL) {
        va_start(arguments, format);
        format_into(err->hint, sizeof(err->hint), 0, format, arguments);
        va_end(arguments);
    }
    return status;
}

enum keystay_status err_prefix(struct keystay_error *err, enum keystay_status status, const char *format, ...)
{
    char message[KEYSTAY_ERROR_MESSAGE_SIZE];
    va_list arguments;

    if (err != NULL) {
        memcpy(message, err->message, sizeof(message));
        va_start(arguments, format);
        format_into(err->message, sizeof(err->message), 0, format, arguments);
        va_end(arguments);
        err_append(err, ": %s", message);
    }
    return status;
}

void err_append(struct keystay_error *err, const char *format, ...)
{
    va_list arguments;

    if (err != NULL) {
        va_start(arguments, format);
        format_into(err->message, sizeof(err->message), strlen(err->message), format, arguments);
        va_end(arguments);
    }
}

enum keystay_status err_no_memory(struct keystay_error *err)
{
    return err_set(err, KEYSTAY_E_NO_MEMORY, "out of memory");
}

bool err_is_about_pin(enum keystay_status status)
{
    return keystay_status_exit(status) == keystay_status_exit(KEYSTAY_E_PIN_INCORRECT);
}
