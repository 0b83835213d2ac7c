/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json_check.h"
#include "base/str.h"
#include "base/wipe.h"

static const double INTEGER_MAX =
    9007199254740992.0; /* 2^53: beyond it a double skips integers (RFC 7493 §2.2) */

/* struct json is never defined: it is cJSON's own node under a name that keeps cJSON in this file. */
static const cJSON *node_of(const struct json *json)
{
    return (const cJSON *)json;
}

static const struct json *json_of(const cJSON *node)
{
    return (const struct json *)node;
}

static void wipe_strings(cJSON *item)
{
    for (; item != NULL; item = item->next) {
        if (cJSON_IsString(item)) {
            wipe(item->valuestring, strlen(item->valuestring));
        }
        wipe_strings(item->child);
    }
}

void json_free(struct json *json)
{
    cJSON *tree = (cJSON *)json;

    wipe_strings(tree);
    cJSON_Delete(tree);
}

void json_freep(struct json **json)
{
    json_free(*json);
    *json = NULL;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* RFC 8259 §4 lets duplicates be; what they mean is then up to each parser, so none may pass. */
static enum keystay_status check_members(const cJSON *object, struct keystay_error *err)
{
    const char *names[JSON_MEMBERS_MAX] = { NULL };
    size_t n_names = 0;

    for (const cJSON *member = object->child; member != NULL; member = member->next) {
        if (n_names == JSON_MEMBERS_MAX) {
            return err_set(
                err, KEYSTAY_E_SERVER_RESPONSE, "the JSON object has more than %d members", JSON_MEMBERS_MAX);
        }
        names[n_names++] = member->string;
    }
    qsort(names, n_names, sizeof(names[0]), compare_names);
    for (size_t i = 1; i < n_names; i++) {
        if (str_equal(names[i - 1], names[i])) {
            return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the JSON object has a member twice");
        }
    }
    return KEYSTAY_OK;
}

static enum keystay_status check_tree(const cJSON *item, struct keystay_error *err)
{
    if (cJSON_IsObject(item)) {
        TRY(check_members(item, err));
    }
    for (const cJSON *child = item->child; child != NULL; child = child->next) {
        TRY(check_tree(child, err));
    }
    return KEYSTAY_OK;
}

enum keystay_status json_parse_object(struct slice text, struct json **ret_json, struct keystay_error *err)
{
    CLEANUP(json_freep) struct json *json = NULL;

    TRY(json_check(text, JSON_DEPTH_MAX, err));
    json = (struct json *)cJSON_ParseWithLength((const char *)text.data, text.len);
    if (json == NULL) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the text is not JSON");
    }
    if (!cJSON_IsObject(node_of(json))) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the JSON text is not an object");
    }
    TRY(check_tree(node_of(json), err));
    *ret_json = take_ptr(&json);
    return KEYSTAY_OK;
}

static const cJSON *find(const struct json *json, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(node_of(json), name);
}

enum json_type json_type(const struct json *value)
{
    const cJSON *node = node_of(value);

    return cJSON_IsObject(node)   ? JSON_OBJECT
           : cJSON_IsArray(node)  ? JSON_ARRAY
           : cJSON_IsString(node) ? JSON_STRING
           : cJSON_IsNumber(node) ? JSON_NUMBER
           : cJSON_IsBool(node)   ? JSON_BOOL
                                  : JSON_NULL;
}

const struct json *json_member(const struct json *object, const char *name)
{
    return json_of(find(object, name));
}

const struct json *json_first(const struct json *container)
{
    return container == NULL ? NULL : json_of(node_of(container)->child);
}

const struct json *json_next(const struct json *item)
{
    return json_of(node_of(item)->next);
}

const char *json_name(const struct json *member)
{
    return node_of(member)->string;
}

const char *json_text(const struct json *value)
{
    return cJSON_IsString(node_of(value)) ? node_of(value)->valuestring : NULL;
}

double json_number(const struct json *value)
{
    return cJSON_IsNumber(node_of(value)) ? node_of(value)->valuedouble : 0;
}

bool json_is_true(const struct json *value)
{
    return cJSON_IsTrue(node_of(value));
}

bool json_has(const struct json *json, const char *name)
{
    return find(json, name) != NULL;
}

const char *json_str_or_null(const struct json *json, const char *name)
{
    const cJSON *item = find(json, name);

    return cJSON_IsString(item) ? item->valuestring : NULL;
}

enum keystay_status json_get_str(
    const struct json *json, const char *name, const char **ret_text, struct keystay_error *err)
{
    const char *text = json_str_or_null(json, name);

    if (text == NULL) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the JSON object has no string \"%s\"", name);
    }
    *ret_text = text;
    return KEYSTAY_OK;
}

enum keystay_status json_get_secret(
    const struct json *json, const char *name, struct secret *ret_secret, struct keystay_error *err)
{
    const char *text = NULL;

    TRY(json_get_str(json, name, &text, err));
    return secret_set(ret_secret, slice_of_str(text), err);
}

enum keystay_status json_get_i64(
    const struct json *json, const char *name, int64_t *ret_value, struct keystay_error *err)
{
    const cJSON *item = find(json, name);

    if (cJSON_IsNumber(item) && trunc(item->valuedouble) == item->valuedouble &&
        fabs(item->valuedouble) <= INTEGER_MAX) {
        *ret_value = (int64_t)item->valuedouble;
        return KEYSTAY_OK;
    }
    uint64_t digits = 0;
    if (cJSON_IsString(item) &&
        str_parse_u64(item->valuestring, 0, (uint64_t)INTEGER_MAX, &digits, NULL) == KEYSTAY_OK) {
        *ret_value = (int64_t)digits;
        return KEYSTAY_OK;
    }
    return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the JSON object has no whole number \"%s\"", name);
}

int64_t json_first_number_or_0(const struct json *json, const char *name)
{
    const cJSON *item = find(json, name);
    const cJSON *first = cJSON_IsArray(item) ? item->child : NULL;

    return first != NULL && cJSON_IsNumber(first) && fabs(first->valuedouble) <= INTEGER_MAX
               ? (int64_t)first->valuedouble
               : 0;
}
