/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar of RFC 8259, and nothing else: no tree, no values. It stands before cJSON, which forgives what
 * a server must not be forgiven: raw control characters in strings, control characters as white space,
 * numbers like 01 or 1., a byte order mark, text after the value. Also refused: "\u0000" (a C string would
 * end there), lone surrogates.
 */
#include "base/json_check.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"

struct scan {
    const uint8_t *at;
    const uint8_t *end;
    size_t depth_left;
};

static bool scan_value(struct scan *scan);

static int peek(const struct scan *scan)
{
    return scan->at < scan->end ? *scan->at : -1;
}

static bool accept(struct scan *scan, int c)
{
    if (peek(scan) != c) {
        return false;
    }
    scan->at++;
    return true;
}

static void skip_blanks(struct scan *scan)
{
    while (peek(scan) == ' ' || peek(scan) == '\t' || peek(scan) == '\n' || peek(scan) == '\r') {
        scan->at++;
    }
}

static bool scan_word(struct scan *scan, const char *word)
{
    for (; *word != '\0'; word++) {
        if (!accept(scan, *word)) {
            return false;
        }
    }
    return true;
}

static size_t scan_digits(struct scan *scan)
{
    const uint8_t *start = scan->at;

    while (peek(scan) >= '0' && peek(scan) <= '9') {
        scan->at++;
    }
    return (size_t)(scan->at - start);
}

static bool scan_number(struct scan *scan)
{
    (void)accept(scan, '-');
    if (!accept(scan, '0') && scan_digits(scan) == 0) {
        return false;
    }
    if (accept(scan, '.') && scan_digits(scan) == 0) {
        return false;
    }
    if (accept(scan, 'e') || accept(scan, 'E')) {
        (void)(accept(scan, '+') || accept(scan, '-'));
        return scan_digits(scan) > 0;
    }
    return true;
}

/* The four digits after "\u"; -1 if they are not there. */
static int32_t scan_hex4(struct scan *scan)
{
    static const char digits[] = "0123456789abcdef";
    int32_t value = 0;

    for (int i = 0; i < 4; i++) {
        int c = peek(scan);
        const char *digit = c > 0 ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
        if (digit == NULL) {
            return -1;
        }
        value = value << 4 | (int32_t)(digit - digits);
        scan->at++;
    }
    return value;
}

static bool scan_escape(struct scan *scan)
{
    int c = peek(scan);

    if (c <= 0 || strchr("\"\\/bfnrtu", c) == NULL) {
        return false;
    }
    scan->at++;
    if (c != 'u') {
        return true;
    }
    int32_t unit = scan_hex4(scan);
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        if (!scan_word(scan, "\\u")) {
            return false;
        }
        int32_t low = scan_hex4(scan);
        return low >= 0xDC00 && low <= 0xDFFF;
    }
    return unit > 0 && !(unit >= 0xDC00 && unit <= 0xDFFF);
}

static bool scan_string(struct scan *scan)
{
    if (!accept(scan, '"')) {
        return false;
    }
    while (!accept(scan, '"')) {
        if (peek(scan) < 0x20) { /* the end of the text too */
            return false;
        }
        if (*scan->at++ == '\\' && !scan_escape(scan)) {
            return false;
        }
    }
    return true;
}

static bool scan_member(struct scan *scan)
{
    skip_blanks(scan);
    if (!scan_string(scan)) {
        return false;
    }
    skip_blanks(scan);
    return accept(scan, ':') && scan_value(scan);
}

/* What stands between the brackets of an object or an array, and the closing one. */
static bool scan_items(struct scan *scan, bool (*scan_item)(struct scan *), int close)
{
    if (scan->depth_left == 0) {
        return false;
    }
    scan->depth_left--;
    skip_blanks(scan);
    bool ok = accept(scan, close);
    if (!ok) {
        do {
            ok = scan_item(scan);
        } while (ok && accept(scan, ','));
        ok = ok && accept(scan, close);
    }
    scan->depth_left++;
    return ok;
}

/* One value with the blanks around it. */
static bool scan_value(struct scan *scan)
{
    bool ok = false;

    skip_blanks(scan);
    switch (peek(scan)) {
    case '{':
        scan->at++;
        ok = scan_items(scan, scan_member, '}');
        break;
    case '[':
        scan->at++;
        ok = scan_items(scan, scan_value, ']');
        break;
    case '"':
        ok = scan_string(scan);
        break;
    case 't':
        ok = scan_word(scan, "true");
        break;
    case 'f':
        ok = scan_word(scan, "false");
        break;
    case 'n':
        ok = scan_word(scan, "null");
        break;
    default:
        ok = scan_number(scan);
        break;
    }
    skip_blanks(scan);
    return ok;
}

enum keystay_status json_check(struct slice text, size_t depth_max, struct keystay_error *err)
{
    struct scan scan = { .at = text.data, .end = text.data + text.len, .depth_left = depth_max };

    if (text.len == 0) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the text is empty");
    }
    /* RFC 8259 §8.1: JSON text exchanged between systems MUST be encoded using UTF-8. */
    if (!str_is_utf8(text)) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the text is not UTF-8");
    }
    if (!scan_value(&scan) || scan.at != scan.end) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "the text is not JSON");
    }
    return KEYSTAY_OK;
}
