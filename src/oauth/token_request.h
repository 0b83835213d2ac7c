/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_TOKEN_REQUEST_H
#define OAUTH_TOKEN_REQUEST_H

#include "base/buf.h"
#include "base/secret.h"

enum { TOKEN_REQUEST_MAX = 256 * 1024 }; /* bytes of a form */

/* A client-credentials request (RFC 6749 §4.4.2) that an assertion authenticates (RFC 7523 §2.2). Strings are
 * borrowed. */
struct token_request {
    const char *client_id;
    const char *scope;    /* NULL: not sent */
    const char *resource; /* NULL: not sent */
    const char *claims;   /* a claims request in JSON (OpenID Connect Core §5.5); NULL: not sent */
    const struct secret *assertion;
};

/* Appends the form, application/x-www-form-urlencoded. */
enum keystay_status token_request_form(
    const struct token_request *request, struct buf *ret_form, struct keystay_error *err);

#endif
