/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_FORM_H
#define HTTP_FORM_H

#include "base/buf.h"

/*
 * Appends a value as a form and a query hold it (RFC 6749 appendix B): unreserved characters stand for
 * themselves, a blank becomes "%20", which every server reads.
 */
enum keystay_status form_encode(struct buf *to, struct slice text, struct keystay_error *err);

#endif
