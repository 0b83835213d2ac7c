/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Token-endpoint answers. The body is hostile input: http/ capped its size, base/json refuses depth,
 * duplicates and what is not JSON. Nothing here logs, retries, or reads the clock.
 */
#include "oauth/token_response.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "oauth/entra_advice.h"

static enum keystay_status check_token_type(const struct json *object, struct keystay_error *err)
{
    const char *type = NULL; /* borrowed from object */

    TRY(json_get_str(object, "token_type", &type, err));
    /* RFC 6749 §7.1: the client MUST NOT use an access token if it does not understand the token type. */
    if (!str_iequal(type, "Bearer")) {
        char quoted[40];
        str_quote_foreign(slice_of_str(type), quoted, sizeof(quoted));
        return err_set(
            err, KEYSTAY_E_SERVER_TOKEN_TYPE, "the server issued a token of the unsupported type '%s'",
            quoted);
    }
    return KEYSTAY_OK;
}

static enum keystay_status read_lifetime(
    const struct json *object, int64_t *ret_lifetime_s, struct keystay_error *err)
{
    int64_t lifetime_s = TOKEN_EXPIRES_DEFAULT_S;

    if (json_has(object, "expires_in")) {
        TRY(json_get_i64(object, "expires_in", &lifetime_s, err));
    }
    if (lifetime_s <= 0 || lifetime_s > TOKEN_EXPIRES_MAX_S) {
        return err_set(
            err, KEYSTAY_E_SERVER_RESPONSE, "the server issued a token for an impossible time (expires_in)");
    }
    *ret_lifetime_s = lifetime_s;
    return KEYSTAY_OK;
}

/* A moment that the server need not name. One that makes no sense is as good as none: the token is good. */
static int64_t hint_or_0(
    const struct json *object, const char *name, int64_t minimum_s, int64_t maximum_s, int64_t asked_at_s)
{
    int64_t span_s = 0;

    if (json_get_i64(object, name, &span_s, NULL) != KEYSTAY_OK || span_s < minimum_s || span_s > maximum_s) {
        return 0;
    }
    return asked_at_s + span_s;
}

enum keystay_status token_response_parse_success(
    struct slice body, int64_t asked_at_s, struct keystay_token **ret_token, struct keystay_error *err)
{
    CLEANUP(json_freep) struct json *object = NULL; /* secret: json_free wipes */
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    int64_t lifetime_s = 0;

    TRY(json_parse_object(body, &object, err));
    TRY(check_token_type(object, err));
    TRY(token_new(&token, err));
    TRY(json_get_secret(object, "access_token", &token->value, err));
    TRY(token_check_value(&token->value, err));
    TRY(read_lifetime(object, &lifetime_s, err));
    token->obtained_at_s = asked_at_s;
    token->expires_at_s = asked_at_s + lifetime_s;
    token->refresh_at_s = hint_or_0(object, "refresh_in", 1, lifetime_s, asked_at_s);
    token->ext_expires_at_s =
        hint_or_0(object, "ext_expires_in", lifetime_s, TOKEN_EXPIRES_MAX_S, asked_at_s);
    *ret_token = take_ptr(&token);
    return KEYSTAY_OK;
}

/* What an HTTP status says of an answer that is no token, and the advice when the body says no more. */
struct http_row {
    int from;
    int to;
    enum keystay_status status;
    const char *hint;
};

static const struct http_row http_rows[] = {
    { 300, 399, KEYSTAY_E_SERVER_RESPONSE,
      "keystay follows no redirect, an assertion is for one server: check --authority" },
    { 407, 407, KEYSTAY_E_SERVER_RESPONSE, "the proxy wants a name and password: see HTTPS_PROXY" },
    { 408, 408, KEYSTAY_E_TIMEOUT, "the server waited too long for the request: is the network slow?" },
    { 429, 429, KEYSTAY_E_THROTTLED, "too many requests: wait before the next one" },
    { 500, 599, KEYSTAY_E_SERVER_DOWN,
      "the server or something in front of it is in trouble: try again later" },
};

static const struct http_row *http_row_of(int http_status)
{
    static const struct http_row other = {
        0, 0, KEYSTAY_E_SERVER_RESPONSE,
        "is this the token endpoint? check --authority and --tenant, and proxies in between"
    };

    for (size_t i = 0; i < ARRAY_LEN(http_rows); i++) {
        if (http_status >= http_rows[i].from && http_status <= http_rows[i].to) {
            return &http_rows[i];
        }
    }
    return &other;
}

/*
 * Quotes foreign text, less what looks like a JWT: a server may repeat the assertion that it refused, or hand
 * out a token in an answer of the wrong kind.
 */
static void quote(struct slice text, char *ret_text, size_t size)
{
    static const char start[] = "eyJ"; /* base64url of '{"' */
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    char *from = ret_text;

    str_quote_foreign(text, ret_text, size);
    while ((from = strstr(from, start)) != NULL) {
        size_t len = strspn(from, letters);
        memset(from, '*', len);
        from += len;
    }
}

/* The first words of a body that is not OAuth tell most: a proxy's page, a load balancer's. Of a success they
 * may be a token. */
static enum keystay_status not_oauth(
    int http_status, struct slice body, const char *url, struct keystay_error *err)
{
    const struct http_row *row = http_row_of(http_status);
    char start[80];

    if (body.len == 0) {
        (void)err_set_hint(err, row->status, row->hint, "%s answered HTTP %d with no body", url, http_status);
    } else if (http_status < 300) {
        (void)err_set_hint(
            err, row->status, row->hint, "%s answered HTTP %d, where RFC 6749 has 200", url, http_status);
    } else {
        quote(body, start, sizeof(start));
        (void)err_set_hint(
            err, row->status, row->hint, "%s answered HTTP %d with a body that is not an OAuth answer: '%s'",
            url, http_status, start);
    }
    if (err != NULL) {
        err->http_status = http_status;
    }
    return row->status;
}

static void copy_member(const struct json *object, const char *name, char *ret_text, size_t size)
{
    const char *text = json_str_or_null(object, name);

    if (text != NULL) {
        quote(slice_of_str(text), ret_text, size);
    }
}

/* Entra ends its text with ids that have members of their own. */
static void copy_description(const struct json *object, char *ret_text, size_t size)
{
    const char *text = json_str_or_null(object, "error_description");
    const char *end = text == NULL ? NULL : strstr(text, "Trace ID:");
    struct slice kept = slice_of_str(text);

    if (end != NULL) {
        kept.len = (size_t)(end - text);
    }
    while (kept.len > 0 && strchr(" \r\n", kept.data[kept.len - 1]) != NULL) {
        kept.len--;
    }
    quote(kept, ret_text, size);
}

static enum keystay_status refused(
    int http_status, const struct json *object, const char *code, const char *url, struct keystay_error *err)
{
    /* An OAuth error is a refusal, unless the HTTP status says that it is trouble. */
    enum keystay_status trouble = http_row_of(http_status)->status;
    enum keystay_status status = trouble == KEYSTAY_E_SERVER_RESPONSE ? KEYSTAY_E_SERVER_REFUSED : trouble;
    char description[600];
    char quoted[KEYSTAY_ERROR_CODE_SIZE];

    if (err == NULL) {
        return status;
    }
    copy_description(object, description, sizeof(description));
    quote(slice_of_str(code), quoted, sizeof(quoted));
    int aadsts = entra_error_number(json_first_number_or_0(object, "error_codes"), description);
    const char *advice = entra_advice(aadsts, description);
    (void)err_set_hint(
        err, status, advice != NULL ? advice : "", "%s refused: %s (HTTP %d)%s%s", url, quoted, http_status,
        description[0] == '\0' ? "" : ": ", description);
    err->http_status = http_status;
    err->aadsts = aadsts;
    memcpy(err->oauth_error, quoted, sizeof(quoted));
    copy_member(object, "trace_id", err->trace_id, sizeof(err->trace_id));
    copy_member(object, "correlation_id", err->correlation_id, sizeof(err->correlation_id));
    return status;
}

enum keystay_status token_response_parse_failure(
    int http_status, struct slice body, const char *url, struct keystay_error *err)
{
    CLEANUP(json_freep) struct json *object = NULL;

    if (json_parse_object(body, &object, NULL) != KEYSTAY_OK) {
        return not_oauth(http_status, body, url, err);
    }
    const char *code = json_str_or_null(object, "error");
    if (code == NULL) {
        return not_oauth(http_status, body, url, err);
    }
    return refused(http_status, object, code, url, err);
}

/* A gate in front of the server that wants to know who comes says so here, and nowhere else. */
static void tell_challenge(
    const struct http_response *response, enum keystay_status status, struct keystay_error *err)
{
    char quoted[200];

    if (status == KEYSTAY_E_SERVER_RESPONSE && response->status == 401 &&
        response->www_authenticate[0] != '\0') {
        quote(slice_of_str(response->www_authenticate), quoted, sizeof(quoted));
        err_append(err, "; it wants: %s", quoted);
    }
}

enum keystay_status token_response_parse(
    const struct http_response *response, const char *url, int64_t asked_at_s,
    struct keystay_token **ret_token, struct keystay_error *err)
{
    struct slice body = buf_slice(&response->body);

    if (response->status != 200) {
        enum keystay_status refusal = token_response_parse_failure(response->status, body, url, err);
        tell_challenge(response, refusal, err);
        return refusal;
    }
    enum keystay_status status = token_response_parse_success(body, asked_at_s, ret_token, err);
    if (status == KEYSTAY_OK) {
        return status;
    }
    (void)err_prefix(err, status, "%s answered HTTP 200, but", url);
    if (err != NULL) {
        err->http_status = response->status;
        if (err->hint[0] == '\0') {
            (void)err_hint(
                err, status, "is this the token endpoint? check --authority, and proxies in between");
        }
    }
    return status;
}
