/* SPDX-License-Identifier: Apache-2.0 */
#include "oauth/token_request.h"

#include <string.h>

static const char assertion_type[] =
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"; /* RFC 7523 §2.2 */

/* RFC 6749 appendix B; unreserved characters stand for themselves, a blank becomes "%20", which every server
 * reads. */
static enum keystay_status put_encoded(struct buf *to, struct slice text, struct keystay_error *err)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (memchr(unreserved, c, sizeof(unreserved) - 1) != NULL) {
            TRY(buf_putc(to, (char)c, err));
            continue;
        }
        const uint8_t escape[3] = { '%', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 0x0F] };
        TRY(buf_put(to, (struct slice){ escape, sizeof(escape) }, err));
    }
    return KEYSTAY_OK;
}

static enum keystay_status put_field(
    struct buf *to, const char *name, struct slice value, struct keystay_error *err)
{
    if (to->len > 0) {
        TRY(buf_putc(to, '&', err));
    }
    TRY(buf_puts(to, name, err));
    TRY(buf_putc(to, '=', err));
    return put_encoded(to, value, err);
}

enum keystay_status token_request_form(
    const struct token_request *request, struct buf *ret_form, struct keystay_error *err)
{
    TRY(put_field(ret_form, "grant_type", slice_of_str("client_credentials"), err));
    TRY(put_field(ret_form, "client_id", slice_of_str(request->client_id), err));
    if (request->scope != NULL) {
        TRY(put_field(ret_form, "scope", slice_of_str(request->scope), err));
    }
    if (request->resource != NULL) {
        TRY(put_field(ret_form, "resource", slice_of_str(request->resource), err));
    }
    if (request->claims != NULL) {
        TRY(put_field(ret_form, "claims", slice_of_str(request->claims), err));
    }
    TRY(put_field(ret_form, "client_assertion_type", slice_of_str(assertion_type), err));
    return put_field(ret_form, "client_assertion", secret_slice(request->assertion), err);
}
