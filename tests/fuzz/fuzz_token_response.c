/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first byte chooses the HTTP status, the rest is the body. A token that comes out fits into a header and
 * ends in the future; an error can be printed on a terminal, and is never "ok".
 */
#include "fuzz.h"

#include <string.h>

#include "base/str.h"
#include "oauth/token_response.h"

enum { NOW_S = 1800000000 };

static const int statuses[] = { 200, 400, 401, 403, 404, 302, 407, 429, 500, 503 };

static void check_token(const struct keystay_token *token)
{
    const char *value = keystay_token_value(token);

    MUST(value[0] != '\0' && strlen(value) <= TOKEN_LEN_MAX);
    MUST(str_is_visible_ascii(slice_of_str(value)));
    MUST(keystay_token_expires_at_s(token) > NOW_S);
    MUST(keystay_token_expires_at_s(token) <= NOW_S + TOKEN_EXPIRES_MAX_S);
}

static void check_error(const struct keystay_error *err, enum keystay_status status)
{
    char tidy[sizeof(err->message)];

    MUST(err->status == status && keystay_status_exit(status) != 0);
    MUST(err->message[0] != '\0');
    memcpy(tidy, err->message, sizeof(tidy));
    str_tidy(tidy);
    MUST(str_equal(tidy, err->message));
    MUST(str_is_utf8(slice_of_str(err->hint)));
    MUST(str_is_utf8(slice_of_str(err->oauth_error)));
    MUST(str_is_utf8(slice_of_str(err->trace_id)));
    MUST(strchr(err->correlation_id, '\n') == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_response response = { .body = BUF(HTTP_BODY_MAX) };
    struct keystay_token *token = NULL;
    struct keystay_error err = { 0 };

    if (size == 0 || size > HTTP_BODY_MAX) {
        return 0;
    }
    response.status = statuses[data[0] % (sizeof(statuses) / sizeof(statuses[0]))];
    MUST(buf_put(&response.body, (struct slice){ data + 1, size - 1 }, NULL) == KEYSTAY_OK);
    enum keystay_status status =
        token_response_parse(&response, "https://server.example/token", NOW_S, &token, &err);
    if (status == KEYSTAY_OK) {
        MUST(response.status == 200);
        check_token(token);
    } else {
        MUST(token == NULL);
        check_error(&err, status);
    }
    keystay_token_free(token);
    http_response_clear(&response);
    return 0;
}
