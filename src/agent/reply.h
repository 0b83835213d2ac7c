/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_REPLY_H
#define AGENT_REPLY_H

/* Answers, and errors in the form that each kind of caller reads. */

#include "httpd/httpd.h"

enum { REPLY_LATER_S = 5 }; /* Retry-After */

/* Who reads an error. */
enum dialect {
    DIALECT_NATIVE,      /* as keystay --error-format json says it: base/error_json.h */
    DIALECT_APP_SERVICE, /* {"statusCode":400,"message":"..."} */
    DIALECT_OAUTH,       /* {"error":"...","error_description":"..."}: IMDS */
};

/*
 * The HTTP status of an error. SDKs try again what is 404, 408, 410, 429 and 5xx, so what no time will heal
 * is 400, 401 or 403.
 */
unsigned int reply_http_status(enum keystay_status status);

/* body is moved from. */
void reply_json(struct request *request, unsigned int status, struct buf *body);
void reply_text(struct request *request, unsigned int status, const char *type, struct buf *body);

void reply_error(struct request *request, enum dialect dialect, const struct keystay_error *error);

/* The same for what the agent itself says no to. */
void reply_refusal(
    struct request *request, enum dialect dialect, unsigned int http_status, enum keystay_status status,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
