/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_RAW_H
#define BASE_JSON_RAW_H

/*
 * JSON as it was written, to be shown: a tree would round long numbers. Only for text that json_parse_object
 * has taken.
 */

#include <stdbool.h>

#include "base/buf.h"

/*
 * Takes the next member off an object's text: *rest is first the whole of it. The name comes with its quotes.
 * false when there is none left. Members come in the order in which json_next gives them.
 */
bool json_raw_member(struct slice *rest, struct slice *ret_name, struct slice *ret_value);

/* Appends a value without blanks; what could steer a terminal is escaped, so that it means the same. */
enum keystay_status json_raw_put(struct slice value, struct buf *to, struct keystay_error *err);

#endif
