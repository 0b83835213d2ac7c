/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_TOKEN_REQUEST_H
#define OAUTH_TOKEN_REQUEST_H

#include "base/buf.h"
#include "base/secret.h"

enum { TOKEN_REQUEST_MAX = 256 * 1024 }; /* bytes of a form */

enum token_grant {
    TOKEN_GRANT_CLIENT_CREDENTIALS, /* RFC 6749 §4.4.2; the assertion authenticates it (RFC 7523 §2.2) */
    TOKEN_GRANT_JWT_BEARER,         /* the assertion is the grant (RFC 7523 §2.1) */
};

/* What is asked of a token endpoint. Strings are borrowed. */
struct token_request {
    enum token_grant grant;
    const char *client_id;     /* sent when the assertion authenticates the client */
    const char *scope;         /* NULL: not sent */
    const char *resource;      /* NULL: not sent */
    const char *resource_name; /* of its field; NULL: "resource" (RFC 8707 §2) */
    const char *claims;        /* OpenID Connect Core §5.5, as Entra's challenges want it; NULL: not sent */
    const struct secret *assertion;
};

/* Appends the form, application/x-www-form-urlencoded. */
enum keystay_status token_request_form(
    const struct token_request *request, struct buf *ret_form, struct keystay_error *err);

#endif
