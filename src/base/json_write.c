/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_write.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "base/json_raw.h"
#include "base/str.h"

static enum keystay_status put_escaped(struct buf *to, uint8_t c, struct keystay_error *err)
{
    char escape[8];

    if (c == '"' || c == '\\') {
        TRY(buf_putc(to, '\\', err));
        return buf_putc(to, (char)c, err);
    }
    (void)snprintf(escape, sizeof(escape), "\\u%04x", c);
    return buf_puts(to, escape, err);
}

static enum keystay_status put_string(struct buf *to, struct slice text, struct keystay_error *err)
{
    size_t start = 0;

    if (!str_is_utf8(text)) {
        return err_set(err, KEYSTAY_E_CONFIG, "a text that must go into JSON is not UTF-8");
    }
    TRY(buf_putc(to, '"', err));
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c < 0x20 || c == '"' || c == '\\') {
            TRY(buf_put(to, (struct slice){ text.data + start, i - start }, err));
            TRY(put_escaped(to, c, err));
            start = i + 1;
        }
    }
    TRY(buf_put(to, (struct slice){ text.data + start, text.len - start }, err));
    return buf_putc(to, '"', err);
}

static enum keystay_status put_separator(struct json_write *out, struct keystay_error *err)
{
    if (!out->is_begun) {
        out->is_begun = true;
        TRY(buf_putc(out->to, '{', err));
    } else if (out->has_items) {
        TRY(buf_putc(out->to, ',', err));
    }
    out->has_items = true;
    return KEYSTAY_OK;
}

static enum keystay_status put_name(struct json_write *out, const char *name, struct keystay_error *err)
{
    TRY(put_separator(out, err));
    if (name == NULL) {
        return KEYSTAY_OK;
    }
    TRY(put_string(out->to, slice_of_str(name), err));
    return buf_putc(out->to, ':', err);
}

enum keystay_status json_write_slice(
    struct json_write *out, const char *name, struct slice value, struct keystay_error *err)
{
    TRY(put_name(out, name, err));
    return put_string(out->to, value, err);
}

enum keystay_status json_write_str(
    struct json_write *out, const char *name, const char *value, struct keystay_error *err)
{
    return json_write_slice(out, name, slice_of_str(value), err);
}

enum keystay_status json_write_i64(
    struct json_write *out, const char *name, int64_t value, struct keystay_error *err)
{
    char digits[24];

    TRY(put_name(out, name, err));
    (void)snprintf(digits, sizeof(digits), "%" PRId64, value);
    return buf_puts(out->to, digits, err);
}

enum keystay_status json_write_u64(
    struct json_write *out, const char *name, uint64_t value, struct keystay_error *err)
{
    char digits[24];

    TRY(put_name(out, name, err));
    (void)snprintf(digits, sizeof(digits), "%" PRIu64, value);
    return buf_puts(out->to, digits, err);
}

enum keystay_status json_write_null(struct json_write *out, const char *name, struct keystay_error *err)
{
    TRY(put_name(out, name, err));
    return buf_puts(out->to, "null", err);
}

enum keystay_status json_write_raw(
    struct json_write *out, const char *name, struct slice value, struct keystay_error *err)
{
    TRY(put_name(out, name, err));
    return json_raw_put(value, out->to, err);
}

enum keystay_status json_write_bool(
    struct json_write *out, const char *name, bool value, struct keystay_error *err)
{
    TRY(put_name(out, name, err));
    return buf_puts(out->to, value ? "true" : "false", err);
}

enum keystay_status json_write_begin(
    struct json_write *out, const char *name, char bracket, struct keystay_error *err)
{
    TRY(put_name(out, name, err));
    out->has_items = false;
    return buf_putc(out->to, bracket, err);
}

enum keystay_status json_write_finish(struct json_write *out, char bracket, struct keystay_error *err)
{
    out->has_items = true;
    return buf_putc(out->to, bracket == '{' ? '}' : ']', err);
}

enum keystay_status json_write_item(struct json_write *out, const char *value, struct keystay_error *err)
{
    TRY(put_separator(out, err));
    return put_string(out->to, slice_of_str(value), err);
}

enum keystay_status json_write_end(struct json_write *out, struct keystay_error *err)
{
    return buf_puts(out->to, out->is_begun ? "}" : "{}", err);
}
