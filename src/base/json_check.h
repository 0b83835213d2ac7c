/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_CHECK_H
#define BASE_JSON_CHECK_H

#include "base/base.h"

/* Says whether text is exactly one JSON value by the letter of RFC 8259, no deeper than depth_max. */
enum keystay_status json_check(struct slice text, size_t depth_max, struct keystay_error *err);

#endif
