/* SPDX-License-Identifier: Apache-2.0 */
#include "oauth/metadata.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

enum { QUOTE_SIZE = 256, STATUS_OK = 200, STATUS_THROTTLED = 429 };

static const enum keystay_alg known_algs[] = {
    KEYSTAY_ALG_RS256, KEYSTAY_ALG_RS384, KEYSTAY_ALG_RS512, KEYSTAY_ALG_PS256,
    KEYSTAY_ALG_PS384, KEYSTAY_ALG_PS512, KEYSTAY_ALG_ES256, KEYSTAY_ALG_ES384,
};

/* Equal but for case and a slash at the end: how people get an issuer wrong. */
static bool is_nearly(const char *a, const char *b)
{
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);

    a_len -= a_len > 0 && a[a_len - 1] == '/';
    b_len -= b_len > 0 && b[b_len - 1] == '/';
    return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

/* RFC 8414 §3.3: the value returned MUST be identical to the issuer identifier that the URL was made of; if
 * it is not, the data contained in the response MUST NOT be used. */
static enum keystay_status check_issuer(
    const struct json *object, const char *issuer, struct keystay_error *err)
{
    const char *said = NULL;
    char quoted[QUOTE_SIZE];

    TRY(json_get_str(object, "issuer", &said, err));
    if (str_equal(said, issuer)) {
        return KEYSTAY_OK;
    }
    str_quote_foreign(slice_of_str(said), quoted, sizeof(quoted));
    return err_set_hint(
        err, KEYSTAY_E_SERVER_RESPONSE,
        is_nearly(said, issuer) ? "give --issuer exactly as the server writes it, with case and slash"
                                : "is that the right server? nothing is signed for another one",
        "its issuer is '%s', not '%s'", quoted, issuer);
}

static enum keystay_status take_url(
    const struct json *object, const char *name, bool allow_http, char ret_url[URL_MAX],
    struct keystay_error *err)
{
    const char *text = NULL;
    struct keystay_error why;

    TRY(json_get_str(object, name, &text, err));
    if (url_check(name, text, allow_http, &why) != KEYSTAY_OK) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "%s", why.message);
    }
    memcpy(ret_url, text, strlen(text) + 1);
    return KEYSTAY_OK;
}

/* Whether a member is an array that holds this string. */
static bool lists(const struct json *object, const char *name, const char *text)
{
    const struct json *list = json_member(object, name);

    if (list == NULL || json_type(list) != JSON_ARRAY) {
        return false;
    }
    for (const struct json *item = json_first(list); item != NULL; item = json_next(item)) {
        if (json_type(item) == JSON_STRING && str_equal(json_text(item), text)) {
            return true;
        }
    }
    return false;
}

static void take_algs(const struct json *object, struct metadata *metadata)
{
    static const char name[] = "token_endpoint_auth_signing_alg_values_supported";

    metadata->has_algs = json_has(object, name);
    for (size_t i = 0; i < ARRAY_LEN(known_algs); i++) {
        if (lists(object, name, alg_by_id(known_algs[i])->name)) {
            metadata->algs |= ALG_BIT(known_algs[i]);
        }
    }
}

enum keystay_status metadata_parse(
    struct slice body, const char *issuer, bool allow_http, struct metadata *ret_metadata,
    struct keystay_error *err)
{
    CLEANUP(json_freep) struct json *object = NULL;
    struct metadata metadata = { 0 };

    TRY(json_parse_object(body, &object, err));
    TRY(check_issuer(object, issuer, err));
    TRY(take_url(object, "token_endpoint", allow_http, metadata.token_endpoint, err));
    if (json_has(object, "jwks_uri")) {
        TRY(take_url(object, "jwks_uri", allow_http, metadata.jwks_uri, err));
    }
    metadata.has_private_key_jwt = lists(object, "token_endpoint_auth_methods_supported", "private_key_jwt");
    take_algs(object, &metadata);
    *ret_metadata = metadata;
    return KEYSTAY_OK;
}

/* Where the path of the issuer begins, and how long it is without a slash at its end. */
static const char *path_of(const char *issuer, size_t *ret_len)
{
    const char *host = strstr(issuer, "://") + 3;
    const char *path = host + strcspn(host, "/");
    size_t len = strlen(path);

    *ret_len = len > 0 && path[len - 1] == '/' ? len - 1 : len;
    return path;
}

/* OpenID Connect Discovery §4 appends to the issuer, RFC 8414 §3.1 inserts between host and path; both take a
 * slash at the end away first. */
static bool make_url(const char *issuer, bool is_openid, char ret_url[URL_MAX])
{
    size_t path_len = 0;
    const char *path = path_of(issuer, &path_len);
    int host_len = (int)(path - issuer);
    int len = is_openid ? snprintf(
                              ret_url, URL_MAX, "%.*s%.*s/.well-known/openid-configuration", host_len, issuer,
                              (int)path_len, path)
                        : snprintf(
                              ret_url, URL_MAX, "%.*s/.well-known/oauth-authorization-server%.*s", host_len,
                              issuer, (int)path_len, path);

    return len > 0 && len < URL_MAX;
}

static enum keystay_status status_of(int http_status)
{
    return http_status == STATUS_THROTTLED ? KEYSTAY_E_THROTTLED
           : http_status >= 500            ? KEYSTAY_E_SERVER_DOWN
                                           : KEYSTAY_E_SERVER_RESPONSE;
}

static enum keystay_status explain(const char *url, int http_status, struct keystay_error *err)
{
    enum keystay_status status = status_of(http_status);

    (void)err_set_hint(
        err, status,
        status == KEYSTAY_E_SERVER_RESPONSE
            ? "check --issuer; a server without metadata wants --token-endpoint given"
            : "the server is busy or in trouble: try again later",
        "%s: no metadata: HTTP %d", url, http_status);
    if (err != NULL) {
        err->http_status = http_status;
    }
    return status;
}

static enum keystay_status fetch_one(
    struct http_transport *transport, const char *url, int64_t timeout_ms, const struct keystay_log *log,
    struct http_response *response, struct keystay_error *err)
{
    log_step(log, "GET %s", url);
    TRY(http_get(transport, url, timeout_ms, response, err));
    log_step(log, "HTTP %d, %zu bytes", response->status, response->body.len);
    return KEYSTAY_OK;
}

enum keystay_status metadata_fetch(
    struct http_transport *transport, const char *issuer, bool allow_http, int64_t timeout_ms,
    const struct keystay_log *log, struct http_response *ret_response, struct metadata *ret_metadata,
    struct keystay_error *err)
{
    char url[URL_MAX];

    for (int is_openid = 1; is_openid >= 0; is_openid--) {
        http_response_clear(ret_response);
        if (!make_url(issuer, is_openid, url)) {
            return err_set(err, KEYSTAY_E_CONFIG, "the issuer is too long a URL");
        }
        TRY(fetch_one(transport, url, timeout_ms, log, ret_response, err));
        if (ret_response->status == STATUS_OK ||
            status_of(ret_response->status) != KEYSTAY_E_SERVER_RESPONSE) {
            break;
        }
    }
    if (ret_response->status != STATUS_OK) {
        return explain(url, ret_response->status, err);
    }
    enum keystay_status status =
        metadata_parse(buf_slice(&ret_response->body), issuer, allow_http, ret_metadata, err);
    return status == KEYSTAY_OK ? status : err_prefix(err, status, "the metadata at %s", url);
}
