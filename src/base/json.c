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

struct json {
    cJSON *tree;
};

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
    if (json != NULL) {
        wipe_strings(json->tree);
        cJSON_Delete(json->tree);
        free(json);
    }
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
    json = calloc(1, sizeof(*json));
    if (json == NULL) {
        return err_no_memory(err);
    }
    json->tree = cJSON_ParseWithLength((const char *)text.data, text.len);
    if (json->tree == NULL) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the text is not JSON");
    }
    if (!cJSON_IsObject(json->tree)) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the JSON text is not an object");
    }
    TRY(check_tree(json->tree, err));
    *ret_json = take_ptr(&json);
    return KEYSTAY_OK;
}

static const cJSON *find(const struct json *json, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(json->tree, name);
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
