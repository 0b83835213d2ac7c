/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_STR_H
#define BASE_STR_H

/* Strict strings: ASCII only where protocols are ASCII, no locale, no silent cut. */

#include <stdbool.h>

#include "base/base.h"

bool str_equal(const char *a, const char *b);
bool str_has_prefix(const char *text, const char *prefix);

/* ASCII case folding only. */
bool str_iequal(const char *a, const char *b);

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF). */
bool str_is_utf8(struct slice text);

/* How many bytes the well-formed character at the start of text has; 0 when there is none. */
size_t str_first_code_point(struct slice text, uint32_t *ret_code_point);

/* C0 controls but '\n', DEL, C1 controls, bidirectional overrides, line separators. */
bool str_steers_a_terminal(uint32_t code_point);

/* Only the characters 0x21 to 0x7E: what may stand in a header or a URL without quoting (RFC 6750 §2.1 is
 * narrower). */
bool str_is_visible_ascii(struct slice text);

/* A GUID in its usual 8-4-4-4-12 form, any case. */
bool str_is_guid(const char *text);

/*
 * In place: what could steer a terminal (C0, DEL, C1 controls, bidirectional overrides) and what is not UTF-8
 * becomes '?'.
 * '\n' stays: callers that quote foreign text pass it through str_quote_foreign first.
 */
void str_tidy(char *text);

/* Copies foreign text for a message: as str_tidy, with '\n' and '\r' as spaces, cut at size with "…" as
 * "...". */
void str_quote_foreign(struct slice text, char *ret_text, size_t size);

/* A decimal number without sign, blanks or leading zeros (but "0"), from minimum to maximum. */
enum keystay_status str_parse_u64(
    const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret_value, struct keystay_error *err);

#endif
