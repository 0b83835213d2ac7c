/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

/*
 * Strict JSON objects (RFC 8259, and I-JSON where it is stricter: RFC 7493).
 *
 * cJSON builds the tree, but it is lenient: it folds case, keeps duplicate members, takes control characters
 * and odd numbers, and stops at a NUL. So the text is checked first, and a tree is handed out only when
 * nothing was forgiven. Every member may be a secret: json_free wipes all strings.
 */

#include "base/secret.h"

struct json; /* an object; what is inside is seen through the same type */

enum {
    JSON_DEPTH_MAX = 16,    /* nested objects and arrays */
    JSON_MEMBERS_MAX = 512, /* of one object */
};

/*
 * Parses text, which must be one JSON object: UTF-8, no BOM, no member twice, no "\u0000", nothing after it.
 * *ret_json is owned (json_free). KEYSTAY_E_SERVER_RESPONSE with a reason that quotes nothing of the text.
 */
enum keystay_status json_parse_object(struct slice text, struct json **ret_json, struct keystay_error *err);

void json_free(struct json *json);
void json_freep(struct json **json);

bool json_has(const struct json *json, const char *name);

/* A member that must be there and of the type. A string is borrowed from json. */
enum keystay_status json_get_str(
    const struct json *json, const char *name, const char **ret_text, struct keystay_error *err);
enum keystay_status json_get_secret(
    const struct json *json, const char *name, struct secret *ret_secret, struct keystay_error *err);

/* NULL when the member is absent or no string: for advice, never for decisions. */
const char *json_str_or_null(const struct json *json, const char *name);

/* An integer within ±2^53, as a number or as a string of digits (Entra v1.0 quotes its numbers). */
enum keystay_status json_get_i64(
    const struct json *json, const char *name, int64_t *ret_value, struct keystay_error *err);

/*
 * Walking. Each answer is borrowed from the whole, and NULL where there is nothing. Only what
 * json_parse_object gave is freed.
 */
enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

enum json_type json_type(const struct json *value);
const struct json *json_member(const struct json *object, const char *name);
/* The first item of an array or member of an object, and the one after. */
const struct json *json_first(const struct json *container);
const struct json *json_next(const struct json *item);
/* Of a member of an object. */
const char *json_name(const struct json *member);
/* Of a string. */
const char *json_text(const struct json *value);
/* 0 when it is none; beyond ±2^53 only nearly right. */
double json_number(const struct json *value);
/* Whether it is the value true. */
bool json_is_true(const struct json *value);

/* The first number of a member that is an array of numbers, or 0. */
int64_t json_first_number_or_0(const struct json *json, const char *name);

#endif
