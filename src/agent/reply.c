/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "base/error_json.h"
#include "base/json_write.h"
#include "crypto/random.h"

enum {
    BAD_REQUEST = 400,
    FORBIDDEN = 403,
    NOT_FOUND = 404,
    TOO_MANY = 429,
    OUR_FAULT = 500,
    BAD_GATEWAY = 502,
    UNAVAILABLE = 503,
    GATEWAY_TIMEOUT = 504,
};

unsigned int reply_http_status(enum keystay_status status)
{
    switch (keystay_status_exit(status)) {
    case 2: /* usage */
    case 3: /* what is configured */
    case 6: /* the server said no */
        return BAD_REQUEST;
    case 8: /* the PIN */
        return FORBIDDEN;
    case 4: /* token or module: it may come back */
        return UNAVAILABLE;
    case 5:
        return status == KEYSTAY_E_THROTTLED ? TOO_MANY
               : status == KEYSTAY_E_TIMEOUT ? GATEWAY_TIMEOUT
               : status == KEYSTAY_E_TLS     ? BAD_GATEWAY
                                             : UNAVAILABLE;
    default:
        return OUR_FAULT;
    }
}

static const char json_type[] = "application/json";

static bool is_worth_another_try(unsigned int http_status)
{
    return http_status == TOO_MANY || http_status == UNAVAILABLE || http_status == GATEWAY_TIMEOUT;
}

static void answer(struct request *request, unsigned int status, const char *type, struct buf *body)
{
    CLEANUP(secret_clear) struct secret kept = { 0 };
    const struct answer answer = { .status = status,
                                   .type = type,
                                   .body = &kept,
                                   .retry_after_s = is_worth_another_try(status) ? REPLY_LATER_S : 0 };
    const struct answer nothing = { .status = OUR_FAULT, .ends_connection = true };

    if (secret_set(&kept, buf_slice(body), NULL) == KEYSTAY_OK) {
        request_answer(request, &answer);
    } else {
        request_answer(request, &nothing);
    }
}

void reply_json(struct request *request, unsigned int status, struct buf *body)
{
    reply_text(request, status, json_type, body);
}

void reply_text(struct request *request, unsigned int status, const char *type, struct buf *body)
{
    answer(request, status, type, body);
    buf_clear(body);
}

/* What the Python SDK shows, and App Service has. */
static enum keystay_status write_app_service(
    const struct keystay_error *error, unsigned int http_status, struct buf *to)
{
    struct json_write out = JSON_WRITE(to);
    char id[RANDOM_UUID_SIZE];

    TRY(random_uuid(id, NULL));
    TRY(json_write_u64(&out, "statusCode", http_status, NULL));
    TRY(json_write_str(&out, "message", error->message, NULL));
    TRY(json_write_str(
        &out, "correlationId", error->correlation_id[0] == '\0' ? id : error->correlation_id, NULL));
    return json_write_end(&out, NULL);
}

static enum keystay_status write_oauth(
    const struct keystay_error *error, unsigned int http_status, struct buf *to)
{
    struct json_write out = JSON_WRITE(to);
    const char *code = error->oauth_error[0] != '\0'                            ? error->oauth_error
                       : http_status == BAD_REQUEST || http_status == NOT_FOUND ? "invalid_request"
                       : http_status == FORBIDDEN                               ? "access_denied"
                                                                                : "temporarily_unavailable";

    TRY(json_write_str(&out, "error", code, NULL));
    TRY(json_write_str(&out, "error_description", error->message, NULL));
    return json_write_end(&out, NULL);
}

static void answer_error(
    struct request *request, enum dialect dialect, unsigned int http_status,
    const struct keystay_error *error)
{
    CLEANUP(buf_clear) struct buf body = BUF(ERROR_JSON_MAX);

    switch (dialect) {
    case DIALECT_NATIVE:
        (void)error_json_write(error, &body);
        break;
    case DIALECT_APP_SERVICE:
        (void)write_app_service(error, http_status, &body);
        break;
    case DIALECT_OAUTH:
        (void)write_oauth(error, http_status, &body);
        break;
    }
    answer(request, http_status, json_type, &body);
}

void reply_error(struct request *request, enum dialect dialect, const struct keystay_error *error)
{
    unsigned int http_status = reply_http_status(error->status);

    /*
     * A 400 of IMDS means to SDKs that there is no such identity, and some do not ask again as long as the
     * program runs (azure-identity 1.13 for Python): it is for what was asked in the wrong way. What somebody
     * can put right here, or at the server, is not of that kind.
     */
    if (dialect == DIALECT_OAUTH && http_status == BAD_REQUEST && error->status != KEYSTAY_E_USAGE) {
        http_status = FORBIDDEN;
    }
    answer_error(request, dialect, http_status, error);
}

void reply_refusal(
    struct request *request, enum dialect dialect, unsigned int http_status, enum keystay_status status,
    const char *format, ...)
{
    struct keystay_error error;
    char text[KEYSTAY_ERROR_MESSAGE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    (void)err_set(&error, status, "%s", text);
    answer_error(request, dialect, http_status, &error);
}
