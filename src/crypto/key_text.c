/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key_text.h"

#include <string.h>

#include "base/error.h"
#include "base/str.h"

enum { LINE_LEN_MAX = 76 };

static const char *const words[] = {
    "a byte order mark",
    "UTF-16",
    "\"\\n\" written out in place of line ends",
    "lines that end in CR LF",
    "blanks at lines or in them",
    "lines of uneven length",
    "an armour that has not five dashes",
    "an END that is not that of its BEGIN",
    "base64 without its padding",
    "base64 without an armour",
    "base64 of base64",
    "bytes behind its end",
    "a certificate that cannot be read",
};

enum keystay_status key_repair_put_words(
    unsigned int repairs, struct buf *ret_words, struct keystay_error *err)
{
    const char *before = "";

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (repairs & 1U << i) {
            TRY(buf_puts(ret_words, before, err));
            TRY(buf_puts(ret_words, words[i], err));
            before = ", ";
        }
    }
    return KEYSTAY_OK;
}

void key_text_clear(struct key_text *text)
{
    secret_clear(&text->text);
    *text = (struct key_text){ 0 };
}

void key_block_clear(struct key_block *block)
{
    secret_clear(&block->body);
    *block = (struct key_block){ 0 };
}

static bool begins(struct slice content, const char *bytes, size_t n)
{
    return content.len >= n && memcmp(content.data, bytes, n) == 0;
}

/* Which of two bytes is the upper one: 0 or 1; -1 when it is no UTF-16. Without a mark the first characters
 * are ASCII, as in any key file. */
static int upper_byte_of(struct slice content)
{
    const uint8_t *data = content.data;

    if (begins(content, "\xFE\xFF", 2)) {
        return 0;
    }
    if (begins(content, "\xFF\xFE", 2)) {
        return 1;
    }
    if (content.len < 4) {
        return -1;
    }
    if (data[0] == 0 && data[1] != 0 && data[2] == 0 && data[3] != 0) {
        return 0;
    }
    return data[0] != 0 && data[1] == 0 && data[2] != 0 && data[3] == 0 ? 1 : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

/* What stands in no text: Ctrl-Z does, DOS ended files with it. */
static bool is_binary(uint8_t c)
{
    return c < ' ' && !is_blank((char)c) && c != '\n' && c != '\r' && c != 0x1A;
}

bool key_text_is_text(struct slice content)
{
    if (upper_byte_of(content) >= 0) {
        return true;
    }
    for (size_t i = 0; i < content.len; i++) {
        if (is_binary(content.data[i])) {
            return false;
        }
    }
    return true;
}

/* What is not ASCII stands in comments only. */
static size_t narrow(struct slice content, int upper, char *to)
{
    size_t n = 0;

    for (size_t i = 0; i + 1 < content.len; i += 2) {
        uint8_t high = content.data[i + (size_t)upper];
        uint8_t low = content.data[i + 1 - (size_t)upper];
        if (i > 0 || high != 0xFE || low != 0xFF) {
            to[n++] = high == 0 && low < 0x80 ? (char)low : '?';
        }
    }
    return n;
}

/* How many bytes at `at` are one thing that a text may hold in place of another, and what that is; 0: as it
 * is. "\\r\\n" is two. */
static size_t odd_at(const char *at, size_t left, char *ret_c, enum key_repair *ret_repair)
{
    static const struct {
        const char *bytes;
        size_t len;
        char c; /* 0: nothing */
        enum key_repair repair;
    } odds[] = {
        { "\xEF\xBB\xBF", 3, 0, KEY_REPAIR_MARK }, { "\\r", 2, 0, KEY_REPAIR_LITERALS },
        { "\\n", 2, '\n', KEY_REPAIR_LITERALS },   { "\xC2\xA0", 2, ' ', KEY_REPAIR_BLANKS },
        { "\\/", 2, '/', KEY_REPAIR_LITERALS },    { "\r\n", 2, '\n', KEY_REPAIR_CRLF },
        { "\r", 1, '\n', KEY_REPAIR_CRLF },
    };

    for (size_t i = 0; i < ARRAY_LEN(odds); i++) {
        if (left >= odds[i].len && memcmp(at, odds[i].bytes, odds[i].len) == 0) {
            *ret_c = odds[i].c;
            *ret_repair = odds[i].repair;
            return odds[i].len;
        }
    }
    return 0;
}

/* In place: it only becomes shorter. */
static void even_out(struct key_text *text)
{
    char *data = text->text.data;
    size_t n = 0;

    for (size_t i = 0; i < text->text.len;) {
        enum key_repair repair = KEY_REPAIR_MARK;
        char c = 0;
        size_t len = odd_at(data + i, text->text.len - i, &c, &repair);
        text->repairs |= len > 0 ? (unsigned int)repair : 0;
        if (len == 0) {
            c = data[i];
            len = 1;
        }
        if (c != 0) {
            data[n++] = c;
        }
        i += len;
    }
    secret_truncate(&text->text, n);
}

enum keystay_status key_text_init(struct key_text *text, struct slice content, struct keystay_error *err)
{
    int upper = upper_byte_of(content);

    *text = (struct key_text){ 0 };
    TRY(secret_set(&text->text, content, err));
    if (upper >= 0) {
        text->repairs = KEY_REPAIR_UTF16;
        secret_truncate(&text->text, narrow(content, upper, text->text.data));
    }
    even_out(text);
    return KEYSTAY_OK;
}

/* Where an armour stands, "-----BEGIN LABEL-----": its first dash, its label, and what follows its last one.
 */
struct armour {
    const char *start;
    struct slice label;
    const char *end;
    bool is_odd; /* not five dashes, or blanks where none belong */
};

static const char *skip(const char *at, const char *end, char c)
{
    while (at < end && *at == c) {
        at++;
    }
    return at;
}

static bool is_label(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ';
}

/* Whether the word at `at` is in an armour. */
static bool read_armour(
    const char *text, const char *at, const char *end, size_t word_len, struct armour *ret_armour)
{
    const char *before = at;
    const char *label = at + word_len;

    while (before > text && before[-1] == ' ') {
        before--;
    }
    const char *dashes = before;
    while (dashes > text && dashes[-1] == '-') {
        dashes--;
    }
    const char *label_end = label;
    while (label_end < end && is_label(*label_end)) {
        label_end++;
    }
    const char *last = skip(label_end, end, '-');
    ret_armour->is_odd = before != at || before - dashes != 5 || last - label_end != 5;
    while (label_end > label && label_end[-1] == ' ') {
        label_end--;
        ret_armour->is_odd = true;
    }
    ret_armour->start = dashes;
    ret_armour->label = (struct slice){ (const uint8_t *)label, (size_t)(label_end - label) };
    ret_armour->end = last;
    return dashes < before && label_end > label;
}

static bool find_armour(const char *from, const char *end, const char *word, struct armour *ret_armour)
{
    size_t len = strlen(word);

    for (const char *at = from; at + len <= end; at++) {
        if (memcmp(at, word, len) == 0 && read_armour(from, at, end, len, ret_armour)) {
            return true;
        }
    }
    return false;
}

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* How the lines of a body are. */
struct lines {
    size_t now, first, last;
    bool are_uneven;
};

static void end_line(struct lines *lines)
{
    if (lines->now == 0) {
        return;
    }
    lines->are_uneven |= lines->now > LINE_LEN_MAX || (lines->last > 0 && lines->last != lines->first);
    lines->first = lines->first == 0 ? lines->now : lines->first;
    lines->last = lines->now;
    lines->now = 0;
}

/* Adds the '=' that are missing. */
static void pad(struct key_text *text, struct key_block *block, size_t n, size_t n_equals)
{
    size_t wanted = (4 - n % 4) % 4;

    if (block->fault != NULL) {
        return;
    }
    if (n == 0) {
        block->fault = "it is empty";
    } else if (wanted == 3 || n_equals > wanted) {
        block->fault = "it is cut off, or its base64 is damaged";
    } else if (n_equals < wanted) {
        text->repairs |= KEY_REPAIR_PADDING;
        memset(block->body.data + n, '=', wanted);
    }
    secret_truncate(&block->body, n + wanted);
}

static enum keystay_status take_body(
    struct key_text *text, const char *from, const char *end, struct key_block *block,
    struct keystay_error *err)
{
    struct lines lines = { 0 };
    size_t n = 0;
    size_t n_equals = 0;
    size_t n_blanks = 0;

    TRY(secret_alloc(&block->body, (size_t)(end - from) + 4, err));
    for (const char *at = from; at < end; at++) {
        if (*at == '\n') {
            end_line(&lines);
        } else if (is_blank(*at)) {
            n_blanks++;
        } else if (is_base64(*at) && n_equals == 0) {
            block->body.data[n++] = *at;
            lines.now++;
        } else if (*at == '=' && n_equals < 2) {
            block->body.data[n + n_equals++] = *at;
            lines.now++;
        } else {
            block->fault = "its base64 has a character that does not belong there";
        }
    }
    lines.are_uneven |= lines.last > 0 && lines.now > lines.first;
    text->repairs |= n_blanks > 0 ? KEY_REPAIR_BLANKS : 0;
    text->repairs |= lines.are_uneven || lines.now > LINE_LEN_MAX ? KEY_REPAIR_LINES : 0;
    pad(text, block, n, n_equals);
    return KEYSTAY_OK;
}

static const char *find(const char *from, const char *end, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = from; at + len <= end; at++) {
        if (memcmp(at, word, len) == 0) {
            return at;
        }
    }
    return NULL;
}

/* RFC 1421 §4.6: headers before the base64, of which only DEK-Info says anything. Behind them goes the body.
 */
static const char *take_headers(const char *from, const char *end, struct key_block *block)
{
    static const char name[] = "DEK-Info:";
    const char *at = find(from, end, name);

    if (at == NULL) {
        return from;
    }
    at = skip(at + strlen(name), end, ' ');
    const char *value = at;
    while (at<end && * at> ' ') {
        at++;
    }
    if ((size_t)(at - value) >= sizeof(block->dek)) {
        block->fault = "its DEK-Info is too long";
        return at;
    }
    memcpy(block->dek, value, (size_t)(at - value));
    block->dek[at - value] = '\0';
    return at;
}

static void set_label(struct key_block *block, struct slice label)
{
    size_t len = label.len < sizeof(block->label) ? label.len : sizeof(block->label) - 1;

    memcpy(block->label, label.data, len);
    block->label[len] = '\0';
}

/* A line of blanks before the armour, or an indent. */
static bool is_indented(const char *text, const struct armour *armour)
{
    return armour->start > text && is_blank(armour->start[-1]);
}

enum keystay_status key_text_next(
    struct key_text *text, struct key_block *ret_block, bool *ret_found, struct keystay_error *err)
{
    const char *start = text->text.data;
    const char *end = start + text->text.len;
    struct armour begin;
    struct armour finish;

    *ret_found = text->text.len > text->at && find_armour(start + text->at, end, "BEGIN ", &begin);
    if (!*ret_found) {
        return KEYSTAY_OK;
    }
    key_block_clear(ret_block);
    set_label(ret_block, begin.label);
    text->repairs |= begin.is_odd ? KEY_REPAIR_DASHES : 0;
    text->repairs |= is_indented(start, &begin) ? KEY_REPAIR_BLANKS : 0;
    struct armour next;
    bool has_next = find_armour(begin.end, end, "BEGIN ", &next);
    if (!find_armour(begin.end, has_next ? next.start : end, "END ", &finish)) {
        ret_block->fault = "it is cut off: its END line is missing";
        text->at = (size_t)(begin.end - start);
        return KEYSTAY_OK;
    }
    text->repairs |= finish.is_odd ? KEY_REPAIR_DASHES : 0;
    text->repairs |= slice_equal(begin.label, finish.label) ? 0 : KEY_REPAIR_LABELS;
    text->at = (size_t)(finish.end - start);
    const char *body = take_headers(begin.end, finish.start, ret_block);
    return take_body(text, body, finish.start, ret_block, err);
}

enum keystay_status key_text_bare(
    struct key_text *text, struct key_block *ret_block, struct keystay_error *err)
{
    const char *start = text->text.data;

    key_block_clear(ret_block);
    return take_body(text, start, start + text->text.len, ret_block, err);
}
