/* SPDX-License-Identifier: Apache-2.0 */
#include "oauth/claims.h"

#include <math.h>

#include "base/error.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/str.h"

static const char access_token[] = "access_token";
static const char capabilities[] = "xms_cc";
static const char values[] = "values";
static const char capability[] = "cp1";

static enum keystay_status copy(
    struct json_write *out, const char *name, const struct json *value, struct keystay_error *err);

static enum keystay_status copy_all(
    struct json_write *out, const struct json *container, const char *but, struct keystay_error *err)
{
    for (const struct json *item = json_first(container); item != NULL; item = json_next(item)) {
        const char *name = json_type(container) == JSON_OBJECT ? json_name(item) : NULL;
        if (but == NULL || name == NULL || !str_equal(name, but)) {
            TRY(copy(out, name, item, err));
        }
    }
    return KEYSTAY_OK;
}

static enum keystay_status copy(
    struct json_write *out, const char *name, const struct json *value, struct keystay_error *err)
{
    double number = 0;

    switch (json_type(value)) {
    case JSON_NULL:
        return json_write_null(out, name, err);
    case JSON_BOOL:
        return json_write_bool(out, name, json_is_true(value), err);
    case JSON_STRING:
        return json_write_str(out, name, json_text(value), err);
    case JSON_NUMBER:
        number = json_number(value);
        if (trunc(number) != number || fabs(number) > 1e15) {
            return err_set(err, KEYSTAY_E_CONFIG, "it has a number that is not whole");
        }
        return json_write_i64(out, name, (int64_t)number, err);
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    char bracket = json_type(value) == JSON_ARRAY ? '[' : '{';
    TRY(json_write_begin(out, name, bracket, err));
    TRY(copy_all(out, value, NULL, err));
    return json_write_finish(out, bracket, err);
}

/* What is asked of xms_cc already, with cp1 among the values. */
static enum keystay_status put_capability(
    struct json_write *out, const struct json *asked, struct keystay_error *err)
{
    const struct json *list = asked == NULL ? NULL : json_member(asked, values);

    TRY(json_write_begin(out, capabilities, '{', err));
    if (asked != NULL && json_type(asked) == JSON_OBJECT) {
        TRY(copy_all(out, asked, values, err));
    }
    TRY(json_write_begin(out, values, '[', err));
    TRY(json_write_item(out, capability, err));
    for (const struct json *item = list == NULL ? NULL : json_first(list); item != NULL;
         item = json_next(item)) {
        /* claims-challenge: the values are not case-sensitive */
        if (json_type(item) != JSON_STRING || !str_iequal(json_text(item), capability)) {
            TRY(copy(out, NULL, item, err));
        }
    }
    TRY(json_write_finish(out, '[', err));
    return json_write_finish(out, '{', err);
}

static enum keystay_status merge(const struct json *asked, struct buf *ret_claims, struct keystay_error *err)
{
    struct json_write out = JSON_WRITE(ret_claims);
    const struct json *token = json_member(asked, access_token);

    if (token != NULL && json_type(token) != JSON_OBJECT) {
        return err_set(err, KEYSTAY_E_CONFIG, "its \"%s\" is no object", access_token);
    }
    TRY(copy_all(&out, asked, access_token, err));
    TRY(json_write_begin(&out, access_token, '{', err));
    if (token != NULL) {
        TRY(copy_all(&out, token, capabilities, err));
    }
    TRY(put_capability(&out, token == NULL ? NULL : json_member(token, capabilities), err));
    TRY(json_write_finish(&out, '{', err));
    return json_write_end(&out, err);
}

enum keystay_status claims_add_capability(
    struct slice text, struct buf *ret_claims, struct keystay_error *err)
{
    CLEANUP(json_freep) struct json *asked = NULL;
    enum keystay_status status = KEYSTAY_E_CONFIG;

    if (text.len > CLAIMS_MAX) {
        return err_set(err, status, "the claims request is longer than %d bytes", CLAIMS_MAX);
    }
    if (json_parse_object(text, &asked, err) != KEYSTAY_OK || merge(asked, ret_claims, err) != KEYSTAY_OK) {
        (void)err_prefix(err, status, "the claims request");
        if (err != NULL) {
            err->status = status;
        }
        return err_hint(
            err, status,
            "a JSON object such as {\"access_token\":{\"acrs\":{\"essential\":true,\"value\":\"c1\"}}}");
    }
    return KEYSTAY_OK;
}
