/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

/*
 * Writes one JSON object without blanks, members in the order of the calls: what is signed must be
 * written the same way each time. The buffer wipes itself, so a member may be a secret.
 *
 *     struct json_write out = JSON_WRITE(&buf);
 *     TRY(json_write_str(&out, "alg", "RS256", err));
 *     TRY(json_write_end(&out, err));
 */

#include <stdbool.h>

#include "base/buf.h"

struct json_write {
    struct buf *to; /* borrowed */
    bool is_begun;  /* the '{' of the whole is there */
    bool has_items; /* a comma comes before the next one */
};

#define JSON_WRITE(buf) ((struct json_write){ .to = (buf) })

/* The value must be UTF-8; what JSON wants escaped is escaped. */
enum keystay_status json_write_str(
    struct json_write *out, const char *name, const char *value, struct keystay_error *err);
enum keystay_status json_write_slice(
    struct json_write *out, const char *name, struct slice value, struct keystay_error *err);
enum keystay_status json_write_i64(
    struct json_write *out, const char *name, int64_t value, struct keystay_error *err);
enum keystay_status json_write_u64(
    struct json_write *out, const char *name, uint64_t value, struct keystay_error *err);
/* Another JSON text that json_parse_object has taken, or a value of it, as base/json_raw.h puts it. */
enum keystay_status json_write_raw(
    struct json_write *out, const char *name, struct slice value, struct keystay_error *err);
enum keystay_status json_write_bool(
    struct json_write *out, const char *name, bool value, struct keystay_error *err);

enum keystay_status json_write_null(struct json_write *out, const char *name, struct keystay_error *err);

/* A member that is an object ('{') or an array ('['); name is NULL for an item of an array. The same bracket
 * closes it. */
enum keystay_status json_write_begin(
    struct json_write *out, const char *name, char bracket, struct keystay_error *err);
enum keystay_status json_write_finish(struct json_write *out, char bracket, struct keystay_error *err);

/* An item of an array; of the others, one without a name. */
enum keystay_status json_write_item(struct json_write *out, const char *value, struct keystay_error *err);

enum keystay_status json_write_end(struct json_write *out, struct keystay_error *err);

#endif
