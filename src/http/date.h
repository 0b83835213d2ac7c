/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * HTTP-date (RFC 9110 §5.6.7), in its one current form and the two obsolete ones, to the letter: a recipient
 * MUST accept all three. False for anything else. Unix seconds.
 */
bool http_date_parse(const char *text, int64_t *ret_time_s);

/*
 * Retry-After (RFC 9110 §10.2.3): delay-seconds or an HTTP-date. The moment that it names, by the clock that
 * now_s is of; false when it is neither. A date is the server's: server_now_s is its clock, or now_s where
 * that is not known.
 */
bool http_retry_after_parse(const char *text, int64_t now_s, int64_t server_now_s, int64_t *ret_until_s);

#endif
