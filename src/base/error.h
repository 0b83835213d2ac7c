/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/*
 * How an error is worded: once, by the place that detects it. All of these accept a NULL err and return the
 * status, so that a failing line reads `return err_set(err, KEYSTAY_E_…, "…")`.
 */

#include <stdbool.h>

#include "base/base.h"

#define ERR_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))

/* Fills err afresh: every other field is cleared. Control characters other than '\n' become '?'. */
enum keystay_status err_set(struct keystay_error *err, enum keystay_status status, const char *format, ...)
    ERR_PRINTF(3, 4);

/* The same with the fix to try first. */
enum keystay_status err_set_hint(
    struct keystay_error *err, enum keystay_status status, const char *hint, const char *format, ...)
    ERR_PRINTF(4, 5);

/* Replaces the hint of an error that is already set, and returns its status. */
enum keystay_status err_hint(struct keystay_error *err, enum keystay_status status, const char *format, ...)
    ERR_PRINTF(3, 4);

/* Puts "prefix: " before the message that is already there, and returns its status. */
enum keystay_status err_prefix(struct keystay_error *err, enum keystay_status status, const char *format, ...)
    ERR_PRINTF(3, 4);

/* Appends to the message (cut off when it is full): for lists of what is there. */
void err_append(struct keystay_error *err, const char *format, ...) ERR_PRINTF(2, 3);

enum keystay_status err_no_memory(struct keystay_error *err);

/* Whether a person must see to the PIN: then nothing is tried again. */
bool err_is_about_pin(enum keystay_status status);

/* The status of that name (keystay_status_name), KEYSTAY_E_INTERNAL for one that is not known. */
enum keystay_status err_status_of_name(const char *name);

#endif
