/* SPDX-License-Identifier: Apache-2.0 */
#include "oauth/issuer_keys.h"

#include "base/error.h"
#include "base/log.h"
#include "http/url.h"
#include "oauth/metadata.h"

enum { STATUS_OK = 200, STATUS_THROTTLED = 429, STATUS_DOWN = 500 };

static enum keystay_status check_status(const char *url, int http_status, struct keystay_error *err)
{
    if (http_status == STATUS_OK) {
        return KEYSTAY_OK;
    }
    enum keystay_status status = err_set(
        err,
        http_status == STATUS_THROTTLED ? KEYSTAY_E_THROTTLED
        : http_status >= STATUS_DOWN    ? KEYSTAY_E_SERVER_DOWN
                                        : KEYSTAY_E_SERVER_RESPONSE,
        "%s: no keys: HTTP %d", url, http_status);
    if (err != NULL) {
        err->http_status = http_status;
    }
    return status;
}

static enum keystay_status fetch_keys(
    struct http_transport *transport, const char *url, const struct keystay_log *log, struct jwks *ret_jwks,
    struct keystay_error *err)
{
    CLEANUP(http_response_clear) struct http_response response = { 0 };

    log_step(log, "GET %s", url);
    TRY(http_get(transport, url, 0, &response, err));
    log_step(log, "HTTP %d, %zu bytes", response.status, response.body.len);
    TRY(check_status(url, response.status, err));
    enum keystay_status status = jwks_parse(buf_slice(&response.body), ret_jwks, err);
    return status == KEYSTAY_OK ? status : err_prefix(err, status, "the keys at %s", url);
}

enum keystay_status issuer_keys_fetch(
    struct http_transport *transport, const char *issuer, bool allow_http, const struct keystay_log *log,
    struct jwks *ret_jwks, struct keystay_error *err)
{
    CLEANUP(http_response_clear) struct http_response response = { 0 };
    struct metadata metadata;

    TRY(url_check("issuer", issuer, allow_http, err));
    TRY(metadata_fetch(transport, issuer, allow_http, 0, log, &response, &metadata, err));
    if (metadata.jwks_uri[0] == '\0') {
        return err_set_hint(
            err, KEYSTAY_E_SERVER_RESPONSE, "give the keys in a file: --jwks FILE",
            "the metadata of '%s' names no keys (jwks_uri)", issuer);
    }
    return fetch_keys(transport, metadata.jwks_uri, log, ret_jwks, err);
}
