/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first byte says whether plain http to this machine is allowed, the rest is the text. What comes out is
 * for the issuer that was asked, and may be asked itself; an error can be printed on a terminal.
 */
#include "fuzz.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "oauth/metadata.h"

static const char issuer[] = "https://as.example/realms/one";

static void check_url(const char *url, bool allow_http)
{
    MUST(strlen(url) < URL_MAX);
    MUST(url_check("url", url, allow_http, NULL) == KEYSTAY_OK);
    MUST(str_is_visible_ascii(slice_of_str(url)) && strchr(url, '@') == NULL);
}

static void check_metadata(struct slice text, const struct metadata *metadata, bool allow_http)
{
    struct json *object = NULL;
    const char *said = NULL;

    MUST(json_parse_object(text, &object, NULL) == KEYSTAY_OK);
    MUST(json_get_str(object, "issuer", &said, NULL) == KEYSTAY_OK && str_equal(said, issuer));
    check_url(metadata->token_endpoint, allow_http);
    if (metadata->jwks_uri[0] != '\0') {
        check_url(metadata->jwks_uri, allow_http);
    }
    MUST(metadata->has_algs || metadata->algs == 0);
    json_free(object);
}

static void check_error(const struct keystay_error *err)
{
    char tidy[sizeof(err->message)];

    MUST(err->message[0] != '\0');
    memcpy(tidy, err->message, sizeof(tidy));
    str_tidy(tidy);
    MUST(str_equal(tidy, err->message));
    MUST(str_is_utf8(slice_of_str(err->hint)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct metadata metadata = { 0 };
    struct keystay_error err = { 0 };

    if (size == 0 || size > HTTP_BODY_MAX) {
        return 0;
    }
    const bool allow_http = data[0] == 'y';
    const struct slice text = { data + 1, size - 1 };
    enum keystay_status status = metadata_parse(text, issuer, allow_http, &metadata, &err);
    if (status == KEYSTAY_OK) {
        check_metadata(text, &metadata, allow_http);
    } else {
        MUST(metadata.token_endpoint[0] == '\0');
        check_error(&err);
    }
    return 0;
}
