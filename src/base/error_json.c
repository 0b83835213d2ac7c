/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error_json.h"

#include <stdio.h>

#include "base/error.h"
#include "base/json.h"
#include "base/json_write.h"

static enum keystay_status put_member(struct json_write *out, const char *name, const char *value)
{
    return value[0] == '\0' ? KEYSTAY_OK : json_write_str(out, name, value, NULL);
}

static enum keystay_status put_number(struct json_write *out, const char *name, int64_t value)
{
    return value == 0 ? KEYSTAY_OK : json_write_i64(out, name, value, NULL);
}

/* What the module or the server said, in its own terms. */
static enum keystay_status put_details(struct json_write *out, const struct keystay_error *error)
{
    TRY(put_number(out, "http_status", error->http_status));
    if (error->ck_rv != 0) {
        TRY(json_write_u64(out, "ck_rv", error->ck_rv, NULL));
    }
    TRY(put_member(out, "oauth_error", error->oauth_error));
    TRY(put_number(out, "aadsts", error->aadsts));
    TRY(put_member(out, "trace_id", error->trace_id));
    return put_member(out, "correlation_id", error->correlation_id);
}

enum keystay_status error_json_write(const struct keystay_error *error, struct buf *to)
{
    struct json_write out = JSON_WRITE(to);

    TRY(json_write_str(&out, "status", keystay_status_name(error->status), NULL));
    TRY(json_write_i64(&out, "exit_status", keystay_status_exit(error->status), NULL));
    TRY(json_write_str(&out, "message", error->message, NULL));
    TRY(put_member(&out, "hint", error->hint));
    TRY(put_details(&out, error));
    return json_write_end(&out, NULL);
}

static void get_text(const struct json *json, const char *name, char *ret_text, size_t size)
{
    const char *text = json_str_or_null(json, name);

    (void)snprintf(ret_text, size, "%s", text == NULL ? "" : text);
}

static int64_t get_number(const struct json *json, const char *name)
{
    int64_t number = 0;

    return json_get_i64(json, name, &number, NULL) == KEYSTAY_OK ? number : 0;
}

static void get_details(const struct json *json, struct keystay_error *error)
{
    error->http_status = (int)get_number(json, "http_status");
    error->aadsts = (int)get_number(json, "aadsts");
    error->ck_rv = (unsigned long)get_number(json, "ck_rv");
    get_text(json, "oauth_error", error->oauth_error, sizeof(error->oauth_error));
    get_text(json, "trace_id", error->trace_id, sizeof(error->trace_id));
    get_text(json, "correlation_id", error->correlation_id, sizeof(error->correlation_id));
}

enum keystay_status error_json_read(struct slice text, struct keystay_error *ret_error)
{
    CLEANUP(json_freep) struct json *json = NULL;
    const char *name = NULL;
    const char *message = NULL;

    if (json_parse_object(text, &json, NULL) != KEYSTAY_OK ||
        json_get_str(json, "status", &name, NULL) != KEYSTAY_OK ||
        json_get_str(json, "message", &message, NULL) != KEYSTAY_OK ||
        err_status_of_name(name) == KEYSTAY_OK) {
        return err_set(ret_error, KEYSTAY_E_INTERNAL, "the answer tells of no error and is no success");
    }
    const char *hint = json_str_or_null(json, "hint");
    enum keystay_status status = err_status_of_name(name);
    (void)err_set(ret_error, status, "%s", message);
    if (hint != NULL) {
        (void)err_hint(ret_error, status, "%s", hint);
    }
    get_details(json, ret_error);
    return status;
}
