/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERROR_JSON_H
#define BASE_ERROR_JSON_H

/* An error as one JSON object: for scripts (--error-format json), and from one of our programs to another. */

#include "base/buf.h"

enum { ERROR_JSON_MAX = 16 * 1024 };

/* What does not apply is left out. */
enum keystay_status error_json_write(const struct keystay_error *error, struct buf *to);

/* Reads what error_json_write wrote and answers its status; whatever else it is, is KEYSTAY_E_INTERNAL. */
enum keystay_status error_json_read(struct slice text, struct keystay_error *ret_error);

#endif
