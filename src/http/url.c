/* SPDX-License-Identifier: Apache-2.0 */
#include "http/url.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/str.h"
#include "http/libcurl.h"

static void curlu_freep(CURLU **url)
{
    if (*url != NULL) { /* else libcurl may not be loaded */
        curl_url_cleanup(*url);
    }
}

static void curl_text_freep(char **text)
{
    curl_free(*text);
}

static bool has(CURLU *url, CURLUPart part)
{
    CLEANUP(curl_text_freep) char *text = NULL;

    return curl_url_get(url, part, &text, 0) == CURLUE_OK && text[0] != '\0';
}

static bool part_is(CURLU *url, CURLUPart part, const char *wanted)
{
    CLEANUP(curl_text_freep) char *text = NULL;

    return curl_url_get(url, part, &text, 0) == CURLUE_OK && str_equal(text, wanted);
}

bool url_is_http(const char *text)
{
    return strncasecmp(text, "http:", 5) == 0;
}

/* curl has brought an IPv4 address into its usual form, and asks no name server for "localhost". */
static bool is_this_machine(CURLU *url)
{
    CLEANUP(curl_text_freep) char *host = NULL;
    uint8_t bytes[4];

    if (curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        return false;
    }
    return str_iequal(host, "localhost") || str_equal(host, "[::1]") ||
           (inet_pton(AF_INET, host, bytes) == 1 && bytes[0] == 127);
}

static enum keystay_status check_scheme(
    CURLU *url, const char *what, const char *text, bool allow_http, struct keystay_error *err)
{
    if (part_is(url, CURLUPART_SCHEME, "https")) {
        return KEYSTAY_OK;
    }
    if (!part_is(url, CURLUPART_SCHEME, "http") || !is_this_machine(url)) {
        return err_set(err, KEYSTAY_E_CONFIG, "%s '%s' must be https", what, text);
    }
    return allow_http ? KEYSTAY_OK
                      : err_set_hint(
                            err, KEYSTAY_E_CONFIG,
                            "--allow-http-loopback allows plain http to this machine, for tests",
                            "%s '%s' must be https", what, text);
}

/* Before anything is quoted: what stands before an '@' may be a password. */
static enum keystay_status check_text(const char *what, const char *text, struct keystay_error *err)
{
    if (text[0] == '\0' || !str_is_visible_ascii(slice_of_str(text))) {
        return err_set(
            err, KEYSTAY_E_CONFIG, "the %s is empty or has blanks or characters outside ASCII", what);
    }
    if (strchr(text, '@') != NULL) {
        return err_set(err, KEYSTAY_E_CONFIG, "the %s must not hold a user name or password", what);
    }
    if (strlen(text) >= URL_MAX) {
        return err_set(err, KEYSTAY_E_CONFIG, "the %s has more than %d characters", what, URL_MAX - 1);
    }
    return KEYSTAY_OK;
}

/* *ret_url is owned. */
static enum keystay_status parse(
    const char *what, const char *text, bool allow_http, CURLU **ret_url, struct keystay_error *err)
{
    TRY(check_text(what, text, err));
    TRY(libcurl_load(err));
    CLEANUP(curlu_freep) CURLU *url = curl_url();
    if (url == NULL) {
        return err_no_memory(err);
    }
    if (curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        !has(url, CURLUPART_HOST)) {
        return err_set(err, KEYSTAY_E_CONFIG, "%s '%s' is not a URL", what, text);
    }
    TRY(check_scheme(url, what, text, allow_http, err));
    if (strpbrk(text, "?#") != NULL) {
        return err_set(err, KEYSTAY_E_CONFIG, "%s '%s' must not have a query or a fragment", what, text);
    }
    *ret_url = take_ptr(&url);
    return KEYSTAY_OK;
}

enum keystay_status url_check(const char *what, const char *text, bool allow_http, struct keystay_error *err)
{
    CLEANUP(curlu_freep) CURLU *url = NULL;

    return parse(what, text, allow_http, &url, err);
}

static enum keystay_status put_part(
    CURLU *url, CURLUPart part, const char *before, struct buf *to, struct keystay_error *err)
{
    CLEANUP(curl_text_freep) char *text = NULL;

    if (curl_url_get(url, part, &text, 0) != CURLUE_OK) {
        return err_set(err, KEYSTAY_E_CONFIG, "an address lacks a part");
    }
    TRY(buf_puts(to, before, err));
    return buf_puts(to, text, err);
}

/* A port that the scheme has anyhow is left out. */
static enum keystay_status put_origin(CURLU *url, struct buf *to, struct keystay_error *err)
{
    bool is_http = part_is(url, CURLUPART_SCHEME, "http");

    TRY(put_part(url, CURLUPART_HOST, is_http ? "http://" : "https://", to, err));
    if (has(url, CURLUPART_PORT) && !part_is(url, CURLUPART_PORT, is_http ? "80" : "443")) {
        TRY(put_part(url, CURLUPART_PORT, ":", to, err));
    }
    return KEYSTAY_OK;
}

enum keystay_status url_origin(
    const char *text, bool allow_http, struct buf *ret_origin, struct keystay_error *err)
{
    CLEANUP(curlu_freep) CURLU *url = NULL;
    CLEANUP(buf_clear) struct buf full = BUF(URL_MAX + sizeof("https://"));

    TRY(check_text("authority", text, err));
    if (strstr(text, "://") == NULL) {
        TRY(buf_puts(&full, "https://", err));
    }
    TRY(buf_puts(&full, text, err));
    TRY(parse("authority", buf_str(&full), allow_http, &url, err));
    if (!part_is(url, CURLUPART_PATH, "/")) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "the tenant goes into --tenant",
            "authority '%s' must be a host only, such as https://login.microsoftonline.com", text);
    }
    return put_origin(url, ret_origin, err);
}

bool url_same_origin(const char *a, const char *b)
{
    CLEANUP(curlu_freep) CURLU *url_a = NULL;
    CLEANUP(curlu_freep) CURLU *url_b = NULL;
    CLEANUP(buf_clear) struct buf origin_a = BUF(URL_MAX);
    CLEANUP(buf_clear) struct buf origin_b = BUF(URL_MAX);

    return parse("address", a, true, &url_a, NULL) == KEYSTAY_OK &&
           parse("address", b, true, &url_b, NULL) == KEYSTAY_OK &&
           put_origin(url_a, &origin_a, NULL) == KEYSTAY_OK &&
           put_origin(url_b, &origin_b, NULL) == KEYSTAY_OK &&
           str_iequal(buf_str(&origin_a), buf_str(&origin_b));
}
