/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_raw.h"

#include <stdio.h>

#include "base/error.h"
#include "base/str.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct slice skip(struct slice text, size_t n)
{
    return (struct slice){ text.data + n, text.len - n };
}

static struct slice skip_blanks(struct slice text)
{
    while (text.len > 0 && is_blank(text.data[0])) {
        text = skip(text, 1);
    }
    return text;
}

/* How long the string at the start of text is, with its quotes. */
static size_t string_len(struct slice text)
{
    size_t i = 1;

    while (i < text.len && text.data[i] != '"') {
        i += text.data[i] == '\\' ? 2 : 1;
    }
    return i + 1 < text.len ? i + 1 : text.len;
}

/* How long the value at the start of text is: up to what ends it outside of its own brackets and strings. */
static size_t value_len(struct slice text)
{
    size_t depth = 0;
    size_t i = 0;

    while (i < text.len) {
        uint8_t c = text.data[i];
        if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
            break;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        i += c == '"' ? string_len(skip(text, i)) : 1;
    }
    while (i > 0 && is_blank(text.data[i - 1])) {
        i--;
    }
    return i;
}

bool json_raw_member(struct slice *rest, struct slice *ret_name, struct slice *ret_value)
{
    struct slice text = skip_blanks(*rest);

    if (text.len == 0 || text.data[0] == '}') {
        return false;
    }
    text = skip_blanks(skip(text, 1)); /* the '{', or the ',' after the last member */
    if (text.len == 0 || text.data[0] != '"') {
        return false;
    }
    *ret_name = (struct slice){ text.data, string_len(text) };
    text = skip_blanks(skip(text, ret_name->len));
    text = skip_blanks(skip(text, text.len > 0 ? 1 : 0)); /* the ':' */
    *ret_value = (struct slice){ text.data, value_len(text) };
    *rest = skip(text, ret_value->len);
    return true;
}

/* Outside the BMP nothing steers. */
static enum keystay_status put_string(struct slice string, struct buf *to, struct keystay_error *err)
{
    char escape[8];

    while (string.len > 0) {
        uint32_t code_point = 0;
        size_t len = str_first_code_point(string, &code_point);
        if (len == 0) {
            return err_set(err, KEYSTAY_E_INTERNAL, "JSON that was never checked was to be shown");
        }
        if (str_steers_a_terminal(code_point)) {
            (void)snprintf(escape, sizeof(escape), "\\u%04x", (unsigned int)code_point);
            TRY(buf_puts(to, escape, err));
        } else {
            TRY(buf_put(to, (struct slice){ string.data, len }, err));
        }
        string = skip(string, len);
    }
    return KEYSTAY_OK;
}

enum keystay_status json_raw_put(struct slice value, struct buf *to, struct keystay_error *err)
{
    while (value.len > 0) {
        size_t len = value.data[0] == '"' ? string_len(value) : 1;
        if (len > 1) {
            TRY(put_string((struct slice){ value.data, len }, to, err));
        } else if (!is_blank(value.data[0])) {
            TRY(buf_putc(to, (char)value.data[0], err));
        }
        value = skip(value, len);
    }
    return KEYSTAY_OK;
}
