/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl as the transport. Each exchange has a handle of its own, so that no cookie, credential or setting
 * of one can reach another. What it must not do: follow a redirect, speak anything but https (but for plain
 * http to this machine, where that is allowed), keep a body larger than its cap.
 */
#include "http/curl.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "http/libcurl.h"
#include "http/probe_impl.h"
#include "http/trust.h"
#include "http/url.h"

struct curl_transport {
    struct http_transport base; /* first: the seam casts */
    struct http_curl_config config;
    const char *ca_path; /* static: libcurl's own default; NULL: libcurl's bundle, or cacert */
};

/* What the callbacks of one exchange fill in. */
struct exchange {
    struct http_response *response;
    struct probe *probe; /* NULL when it is the answer that is wanted */
    bool is_too_large;
    char message[CURL_ERROR_SIZE];
};

bool http_curl_use_wiping_memory(void)
{
    return libcurl_use_wiping_memory();
}

static void easy_freep(CURL **easy)
{
    curl_easy_cleanup(*easy);
}

static void slist_freep(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *context)
{
    struct exchange *exchange = context;
    struct slice chunk = { (const uint8_t *)bytes, size * n };

    if (buf_put(&exchange->response->body, chunk, NULL) != KEYSTAY_OK) {
        exchange->is_too_large = true;
        return 0;
    }
    return chunk.len;
}

/* The header fields that are kept, and where. */
struct header_row {
    const char *name;
    size_t offset;
    size_t size;
};

#define HEADER_ROW(name, field)                                                                    \
    {                                                                                              \
        name, offsetof(struct http_response, field), sizeof(((struct http_response *)NULL)->field) \
    }

static const struct header_row header_rows[] = {
    HEADER_ROW("Date", date),
    HEADER_ROW("Retry-After", retry_after),
    HEADER_ROW("client-request-id", client_request_id),
    HEADER_ROW("WWW-Authenticate", www_authenticate),
};

static bool is_named(struct slice line, const char *name)
{
    size_t name_len = strlen(name);
    char start[HTTP_HEADER_VALUE_SIZE];

    if (line.len <= name_len || name_len >= sizeof(start) || line.data[name_len] != ':') {
        return false;
    }
    memcpy(start, line.data, name_len);
    start[name_len] = '\0';
    return str_iequal(start, name);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What is left of a line, without blanks around it (RFC 9110 §5.5). */
static struct slice value_of(struct slice line, size_t from)
{
    struct slice value = { line.data + from, line.len - from };

    while (value.len > 0 && is_blank(value.data[0])) {
        value.data++;
        value.len--;
    }
    while (value.len > 0 && is_blank(value.data[value.len - 1])) {
        value.len--;
    }
    return value;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *context)
{
    struct exchange *exchange = context;
    const struct slice line = { (const uint8_t *)bytes, size * n };
    const bool is_status_line = line.len >= 5 && memcmp(line.data, "HTTP/", 5) == 0;

    for (size_t i = 0; i < ARRAY_LEN(header_rows); i++) {
        const struct header_row *row = &header_rows[i];
        char *value = (char *)exchange->response + row->offset;

        if (is_status_line) {
            value[0] = '\0'; /* what came before belongs to an interim answer */
        } else if (is_named(line, row->name)) {
            str_quote_foreign(value_of(line, strlen(row->name) + 1), value, row->size);
        }
    }
    return line.len;
}

static CURLcode set_trust(CURL *easy, const struct curl_transport *transport)
{
    if (transport->config.cacert != NULL) {
        CURLcode code = curl_easy_setopt(easy, CURLOPT_CAINFO, transport->config.cacert);
        return code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (transport->ca_path != NULL) {
        CURLcode code = curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        return code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_CAPATH, transport->ca_path);
    }
    return CURLE_OK;
}

/* What goes over the wire in the clear stays on this machine. */
static CURLcode set_protocol(CURL *easy, const char *url)
{
    if (!url_is_http(url)) {
        return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    }
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    return code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

static CURLcode set_limits(CURL *easy, const struct curl_transport *transport, int64_t timeout_ms)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);

    code =
        code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    /* What a proxy says before the server speaks is not the server's. */
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Without it, cleaning up waits for a name server that does not answer, past the timeout. */
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    return code != CURLE_OK ? code : set_trust(easy, transport);
}

static CURLcode set_form(CURL *easy, struct slice form)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, (const char *)form.data);

    return code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)form.len);
}

static CURLcode set_request(
    CURL *easy, const struct http_request *request, struct curl_slist *headers, struct exchange *exchange)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, request->url);

    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    code = code != CURLE_OK ? code : set_protocol(easy, request->url);
    code = code != CURLE_OK || request->is_get ? code : set_form(easy, request->form);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    return code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->message);
}

struct code_row {
    CURLcode code;
    enum keystay_status status;
    const char *what;
    const char *hint;
};

static const char hint_trust[] = "a private CA is given with --cacert FILE; an intercepting proxy's too";
static const char hint_reach[] = "check the name, the network and the proxy settings (HTTPS_PROXY, NO_PROXY)";

static const struct code_row code_rows[] = {
    { CURLE_PEER_FAILED_VERIFICATION, KEYSTAY_E_TLS, "its certificate is not trusted", hint_trust },
    { CURLE_SSL_CACERT_BADFILE, KEYSTAY_E_CONFIG, "the CA file cannot be used",
      "give --cacert a PEM file with CA certificates" },
    { CURLE_SSL_CONNECT_ERROR, KEYSTAY_E_TLS, "TLS failed",
      "does the server speak TLS 1.2 or newer on this port?" },
    { CURLE_SSL_CERTPROBLEM, KEYSTAY_E_TLS, "TLS failed", hint_trust },
    { CURLE_SSL_CIPHER, KEYSTAY_E_TLS, "TLS failed", "do both sides share a cipher?" },
    { CURLE_SSL_ISSUER_ERROR, KEYSTAY_E_TLS, "its certificate is not trusted", hint_trust },
    { CURLE_OPERATION_TIMEDOUT, KEYSTAY_E_TIMEOUT, "no answer in time",
      "is it slow or blocked? --timeout allows more" },
    { CURLE_COULDNT_RESOLVE_HOST, KEYSTAY_E_NETWORK, "no such host", hint_reach },
    { CURLE_COULDNT_RESOLVE_PROXY, KEYSTAY_E_NETWORK, "no such proxy", hint_reach },
    { CURLE_COULDNT_CONNECT, KEYSTAY_E_NETWORK, "no connection", hint_reach },
    { CURLE_GOT_NOTHING, KEYSTAY_E_NETWORK, "it closed the connection without an answer", hint_reach },
    { CURLE_URL_MALFORMAT, KEYSTAY_E_CONFIG, "the address is malformed", "check --authority" },
    { CURLE_OUT_OF_MEMORY, KEYSTAY_E_NO_MEMORY, "out of memory", "" },
};

/* An end before the first line that TLS was not told of is an error of reading to libcurl 8. */
static CURLcode name_end(CURL *easy, CURLcode code)
{
    long status = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return code == CURLE_RECV_ERROR && status == 0 ? CURLE_GOT_NOTHING : code;
}

static const struct code_row *find_code(CURLcode code)
{
    static const struct code_row other = { CURLE_OK, KEYSTAY_E_NETWORK, "the exchange failed", hint_reach };

    for (size_t i = 0; i < ARRAY_LEN(code_rows); i++) {
        if (code_rows[i].code == code) {
            return &code_rows[i];
        }
    }
    return &other;
}

/* libcurl repeats the address of a proxy that it cannot use, password and all. */
static const char *words_of(CURLcode code, const struct exchange *exchange)
{
    if (str_has_prefix(exchange->message, "Unsupported proxy")) {
        return "the proxy's address cannot be used";
    }
    return exchange->message[0] != '\0' ? exchange->message : curl_easy_strerror(code);
}

static enum keystay_status explain(
    CURLcode code, const struct http_request *request, const struct exchange *exchange,
    struct keystay_error *err)
{
    const struct code_row *row = find_code(code);

    if (exchange->is_too_large) {
        return err_set(
            err, KEYSTAY_E_SERVER_RESPONSE, "%s: the answer is longer than %d bytes", request->url,
            HTTP_BODY_MAX);
    }
    return err_set_hint(
        err, row->status, row->hint, "%s: %s (%s)", request->url, row->what, words_of(code, exchange));
}

static enum keystay_status make_headers(
    const struct http_request *request, struct curl_slist **ret_headers, struct keystay_error *err)
{
    /* curl would wait for "100 Continue" before it sends a long form. */
    CLEANUP(slist_freep) struct curl_slist *headers = curl_slist_append(NULL, "Expect:");

    for (size_t i = 0; headers != NULL && i < request->n_headers; i++) {
        struct curl_slist *longer = curl_slist_append(headers, request->headers[i]);
        if (longer == NULL) {
            return err_no_memory(err);
        }
        headers = longer;
    }
    if (headers == NULL) {
        return err_no_memory(err);
    }
    *ret_headers = take_ptr(&headers);
    return KEYSTAY_OK;
}

static CURLcode set_all(
    CURL *easy, const struct curl_transport *transport, const struct http_request *request,
    struct curl_slist *headers, struct exchange *exchange)
{
    CURLcode code = set_limits(
        easy, transport, request->timeout_ms > 0 ? request->timeout_ms : transport->config.timeout_ms);

    code = code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_USERAGENT, transport->config.user_agent);
    code = code != CURLE_OK ? code : set_request(easy, request, headers, exchange);
    return code != CURLE_OK || exchange->probe == NULL ? code : probe_prepare(easy, exchange->probe);
}

static enum keystay_status run_exchange(
    const struct curl_transport *transport, const struct http_request *request, struct exchange *exchange,
    struct keystay_error *err)
{
    CLEANUP(slist_freep) struct curl_slist *headers = NULL; /* outlives easy, which borrows it */
    CLEANUP(easy_freep) CURL *easy = curl_easy_init();
    long status = 0;

    if (easy == NULL) {
        return err_no_memory(err);
    }
    if (url_is_http(request->url)) {
        TRY(url_check("address", request->url, transport->config.allow_http_loopback, err));
    }
    TRY(make_headers(request, &headers, err));
    CURLcode code = set_all(easy, transport, request, headers, exchange);
    if (code != CURLE_OK) {
        return err_set(err, KEYSTAY_E_INTERNAL, "libcurl lacks a feature: %s", curl_easy_strerror(code));
    }
    code = curl_easy_perform(easy);
    if (exchange->probe != NULL) {
        probe_end(easy, code, request->url, transport->config.timeout_ms, exchange->probe);
    }
    if (code != CURLE_OK) {
        return explain(name_end(easy, code), request, exchange, err);
    }
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    exchange->response->status = (int)status;
    return KEYSTAY_OK;
}

static enum keystay_status curl_exchange(
    struct http_transport *base, const struct http_request *request, struct http_response *ret_response,
    struct keystay_error *err)
{
    struct exchange exchange = { .response = ret_response };

    return run_exchange((const struct curl_transport *)base, request, &exchange, err);
}

enum keystay_status http_curl_probe(
    struct http_transport *transport, const char *url, struct probe *probe, struct keystay_error *err)
{
    CLEANUP(http_response_clear) struct http_response response = { .body = BUF(HTTP_BODY_MAX) };
    const struct http_request request = { .url = url, .is_get = true };
    struct exchange exchange = { .response = &response, .probe = probe };

    probe_begin(url, probe);
    enum keystay_status status =
        run_exchange((const struct curl_transport *)transport, &request, &exchange, err);
    memcpy(probe->date, response.date, sizeof(probe->date));
    return status;
}

static void curl_close(struct http_transport *base)
{
    free(base);
}

static const struct http_ops curl_ops = { curl_exchange, curl_close };

enum keystay_status http_curl_new(
    const struct http_curl_config *config, struct http_transport **ret_transport, struct keystay_error *err)
{
    TRY(libcurl_load(err));
    /* Before anything is signed, not after. */
    if (config->cacert != NULL && access(config->cacert, R_OK) != 0) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "give --cacert a PEM file that can be read",
            "the CA file '%s' cannot be read", config->cacert);
    }
    struct curl_transport *transport = calloc(1, sizeof(*transport));
    if (transport == NULL) {
        return err_no_memory(err);
    }
    const char *ca_path = config->cacert == NULL ? curl_version_info(CURLVERSION_NOW)->capath : NULL;
    transport->base.ops = &curl_ops;
    transport->config = *config;
    transport->ca_path = ca_path != NULL && trust_is_hashed_directory(ca_path) ? ca_path : NULL;
    *ret_transport = &transport->base;
    return KEYSTAY_OK;
}
