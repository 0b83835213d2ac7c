/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include <stdbool.h>

#include "base/buf.h"

enum { URL_MAX = 2048 };

/*
 * Whether an address may be asked: https, or plain http when allow_http and the host is this machine
 * (127.0.0.0/8, [::1], localhost); no user name, no query, no fragment; shorter than URL_MAX.
 * KEYSTAY_E_CONFIG, worded with what the address is for ("issuer", "token endpoint").
 */
enum keystay_status url_check(const char *what, const char *text, bool allow_http, struct keystay_error *err);

/*
 * Appends the origin of an authority: "https://host" or "https://host:port", no slash at the end. A bare host
 * gets the scheme. KEYSTAY_E_CONFIG for what url_check refuses, and for a path.
 */
enum keystay_status url_origin(
    const char *text, bool allow_http, struct buf *ret_origin, struct keystay_error *err);

/* Whether scheme, host and port are the same (RFC 6454 §5). Both have passed url_check. */
bool url_same_origin(const char *a, const char *b);

/* Whether it would go over the wire in the clear. */
bool url_is_http(const char *text);

#endif
