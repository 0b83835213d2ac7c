/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"

bool str_equal(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

bool str_has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static unsigned char ascii_lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c - 'A' + 'a') : c;
}

bool str_iequal(const char *a, const char *b)
{
    while (*a != '\0' && ascii_lower((unsigned char)*a) == ascii_lower((unsigned char)*b)) {
        a++;
        b++;
    }
    return *a == '\0' && *b == '\0';
}

/* RFC 3629 §4. */
size_t str_first_code_point(struct slice text, uint32_t *ret_code_point)
{
    static const struct {
        uint8_t mask, lead;
        uint32_t minimum;
    } forms[] = { { 0x80, 0x00, 0 }, { 0xE0, 0xC0, 0x80 }, { 0xF0, 0xE0, 0x800 }, { 0xF8, 0xF0, 0x10000 } };

    for (size_t extra = 0; extra < ARRAY_LEN(forms) && extra < text.len; extra++) {
        if ((text.data[0] & forms[extra].mask) != forms[extra].lead) {
            continue;
        }
        uint32_t code_point = text.data[0] & (uint8_t)~forms[extra].mask;
        for (size_t i = 1; i <= extra; i++) {
            if ((text.data[i] & 0xC0) != 0x80) {
                return 0;
            }
            code_point = code_point << 6 | (text.data[i] & 0x3F);
        }
        if (code_point < forms[extra].minimum || code_point > 0x10FFFF ||
            (code_point >= 0xD800 && code_point <= 0xDFFF)) {
            return 0;
        }
        *ret_code_point = code_point;
        return extra + 1;
    }
    return 0;
}

bool str_is_utf8(struct slice text)
{
    while (text.len > 0) {
        uint32_t code_point = 0;
        size_t len = str_first_code_point(text, &code_point);

        if (len == 0) {
            return false;
        }
        text.data += len;
        text.len -= len;
    }
    return true;
}

bool str_is_visible_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x21 || text.data[i] > 0x7E) {
            return false;
        }
    }
    return true;
}

bool str_is_guid(const char *text)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (strlen(text) != sizeof(shape) - 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof(shape) - 1; i++) {
        bool ok = shape[i] == '-' ? text[i] == '-' : strchr("0123456789abcdefABCDEF", text[i]) != NULL;
        if (!ok) {
            return false;
        }
    }
    return true;
}

bool str_steers_a_terminal(uint32_t code_point)
{
    return (code_point < 0x20 && code_point != '\n') || (code_point >= 0x7F && code_point <= 0x9F) ||
           code_point == 0x61C || code_point == 0x200E || code_point == 0x200F ||
           (code_point >= 0x2028 && code_point <= 0x202E) || (code_point >= 0x2066 && code_point <= 0x2069);
}

void str_tidy(char *text)
{
    struct slice rest = slice_of_str(text);
    char *to = text;

    while (rest.len > 0) {
        uint32_t code_point = 0;
        size_t len = str_first_code_point(rest, &code_point);

        if (len == 0 || str_steers_a_terminal(code_point)) {
            *to++ = '?';
        } else {
            memmove(to, rest.data, len);
            to += len;
        }
        rest.data += len == 0 ? 1 : len;
        rest.len -= len == 0 ? 1 : len;
    }
    *to = '\0';
}

void str_quote_foreign(struct slice text, char *ret_text, size_t size)
{
    static const char cut[] = "...";
    size_t len = 0;

    if (size < sizeof(cut)) {
        return;
    }
    while (len < text.len && len < size - 1) {
        uint8_t c = text.data[len];
        ret_text[len++] = c == '\n' || c == '\r' ? ' ' : (c == '\0' ? '?' : (char)c);
    }
    ret_text[len] = '\0';
    if (len < text.len) {
        memcpy(ret_text + len - (sizeof(cut) - 1), cut, sizeof(cut));
    }
    str_tidy(ret_text);
}

enum keystay_status str_parse_u64(
    const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret_value, struct keystay_error *err)
{
    uint64_t value = 0;
    bool good = text[0] != '\0' && !(text[0] == '0' && text[1] != '\0');

    for (const char *at = text; good && *at != '\0'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        good = *at >= '0' && *at <= '9' && value <= (UINT64_MAX - digit) / 10;
        value = value * 10 + digit;
    }
    if (!good || value < minimum || value > maximum) {
        return err_set(
            err, KEYSTAY_E_CONFIG, "'%s' is not a whole number from %" PRIu64 " to %" PRIu64, text, minimum,
            maximum);
    }
    *ret_value = value;
    return KEYSTAY_OK;
}
