/* SPDX-License-Identifier: Apache-2.0 */
#include "http/url.h"

#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "http/libcurl.h"

static void curlu_freep(CURLU **url)
{
    curl_url_cleanup(*url);
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

static enum keystay_status check_parts(CURLU *url, const char *text, struct keystay_error *err)
{
    if (!part_is(url, CURLUPART_SCHEME, "https")) {
        return err_set(err, KEYSTAY_E_CONFIG, "authority '%s' must be https", text);
    }
    if (has(url, CURLUPART_QUERY) || has(url, CURLUPART_FRAGMENT) || !part_is(url, CURLUPART_PATH, "/")) {
        return err_set_hint(
            err, KEYSTAY_E_CONFIG, "the tenant goes into --tenant",
            "authority '%s' must be a host only, such as https://login.microsoftonline.com", text);
    }
    return KEYSTAY_OK;
}

/* Before anything is quoted: what stands before an '@' may be a password. */
static enum keystay_status check_text(const char *text, struct keystay_error *err)
{
    if (text[0] == '\0' || !str_is_visible_ascii(slice_of_str(text))) {
        return err_set(
            err, KEYSTAY_E_CONFIG, "the authority is empty or has blanks or characters outside ASCII");
    }
    if (strchr(text, '@') != NULL) {
        return err_set(err, KEYSTAY_E_CONFIG, "the authority must not hold a user name or password");
    }
    return KEYSTAY_OK;
}

enum keystay_status url_origin(const char *text, struct buf *ret_origin, struct keystay_error *err)
{
    TRY(libcurl_load(err));
    CLEANUP(curlu_freep) CURLU *url = curl_url();
    CLEANUP(curl_text_freep) char *host = NULL;
    CLEANUP(curl_text_freep) char *port = NULL;
    CLEANUP(buf_clear) struct buf full = BUF(URL_MAX);

    if (url == NULL) {
        return err_no_memory(err);
    }
    TRY(check_text(text, err));
    if (strstr(text, "://") == NULL) {
        TRY(buf_puts(&full, "https://", err));
    }
    TRY(buf_puts(&full, text, err));
    if (curl_url_set(url, CURLUPART_URL, buf_str(&full), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        return err_set(err, KEYSTAY_E_CONFIG, "authority '%s' is not a URL", text);
    }
    TRY(check_parts(url, text, err));
    TRY(buf_puts(ret_origin, "https://", err));
    TRY(buf_puts(ret_origin, host, err));
    if (curl_url_get(url, CURLUPART_PORT, &port, 0) == CURLUE_OK && !str_equal(port, "443")) {
        TRY(buf_putc(ret_origin, ':', err));
        TRY(buf_puts(ret_origin, port, err));
    }
    return KEYSTAY_OK;
}
