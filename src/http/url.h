/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include "base/buf.h"

enum { URL_MAX = 2048 };

/*
 * Appends the origin of an authority: "https://host" or "https://host:port", no slash at the end. A bare host
 * gets the scheme. KEYSTAY_E_CONFIG for any other scheme, a user name, a path, a query, a fragment.
 */
enum keystay_status url_origin(const char *text, struct buf *ret_origin, struct keystay_error *err);

#endif
