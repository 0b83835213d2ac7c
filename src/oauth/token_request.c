/* SPDX-License-Identifier: Apache-2.0 */
#include "oauth/token_request.h"

#include "http/form.h"

static const char assertion_type[] =
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";                   /* RFC 7523 §2.2 */
static const char jwt_bearer[] = "urn:ietf:params:oauth:grant-type:jwt-bearer"; /* RFC 7523 §2.1 */

static enum keystay_status put_field(
    struct buf *to, const char *name, struct slice value, struct keystay_error *err)
{
    if (to->len > 0) {
        TRY(buf_putc(to, '&', err));
    }
    TRY(buf_puts(to, name, err));
    TRY(buf_putc(to, '=', err));
    return form_encode(to, value, err);
}

static enum keystay_status put_text(
    struct buf *to, const char *name, const char *value, struct keystay_error *err)
{
    return value == NULL ? KEYSTAY_OK : put_field(to, name, slice_of_str(value), err);
}

enum keystay_status token_request_form(
    const struct token_request *request, struct buf *ret_form, struct keystay_error *err)
{
    const bool is_grant = request->grant == TOKEN_GRANT_JWT_BEARER;

    TRY(put_text(ret_form, "grant_type", is_grant ? jwt_bearer : "client_credentials", err));
    TRY(put_text(ret_form, "client_id", is_grant ? NULL : request->client_id, err));
    TRY(put_text(ret_form, "scope", request->scope, err));
    TRY(put_text(
        ret_form, request->resource_name != NULL ? request->resource_name : "resource", request->resource,
        err));
    TRY(put_text(ret_form, "claims", request->claims, err));
    TRY(put_text(ret_form, "client_assertion_type", is_grant ? NULL : assertion_type, err));
    return put_field(
        ret_form, is_grant ? "assertion" : "client_assertion", secret_slice(request->assertion), err);
}
