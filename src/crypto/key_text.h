/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_KEY_TEXT_H
#define CRYPTO_KEY_TEXT_H

/*
 * Key files as text, however they were copied: through editors that write UTF-16 or a byte order mark,
 * variables that hold "\n" for a line end, YAML that indents, mail that breaks lines. What is repaired is
 * noted; what is between BEGIN and END is handed out as base64 alone, for OpenSSL to read.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/secret.h"

enum key_repair {
    KEY_REPAIR_MARK = 1 << 0,
    KEY_REPAIR_UTF16 = 1 << 1,
    KEY_REPAIR_LITERALS = 1 << 2,
    KEY_REPAIR_CRLF = 1 << 3,
    KEY_REPAIR_BLANKS = 1 << 4,
    KEY_REPAIR_LINES = 1 << 5,
    KEY_REPAIR_DASHES = 1 << 6,
    KEY_REPAIR_LABELS = 1 << 7,
    KEY_REPAIR_PADDING = 1 << 8,
    KEY_REPAIR_BARE = 1 << 9,
    KEY_REPAIR_TWICE = 1 << 10,
    KEY_REPAIR_TAIL = 1 << 11,
    KEY_REPAIR_CERTIFICATE = 1 << 12,
};

/* "a byte order mark, lines that end in CR LF": a list, or nothing. */
enum keystay_status key_repair_put_words(
    unsigned int repairs, struct buf *ret_words, struct keystay_error *err);

struct key_text {
    struct secret text; /* of one line end and one encoding */
    size_t at;
    unsigned int repairs; /* enum key_repair */
};

void key_text_clear(struct key_text *text);

/* Whether the content is text at all, in UTF-16 or a code that has ASCII in it. */
bool key_text_is_text(struct slice content);

/* Of a text. The caller clears it, also after a failure. */
enum keystay_status key_text_init(struct key_text *text, struct slice content, struct keystay_error *err);

enum { KEY_BLOCK_LABEL_SIZE = 48, KEY_BLOCK_DEK_SIZE = 96 };

struct key_block {
    char label[KEY_BLOCK_LABEL_SIZE]; /* "RSA PRIVATE KEY" */
    char dek[KEY_BLOCK_DEK_SIZE];     /* the value of DEK-Info (RFC 1421 §4.6.1.3), or "" */
    struct secret body;               /* base64 alone, padded */
    const char *fault;                /* NULL: none that can be seen. Static */
};

void key_block_clear(struct key_block *block);

/* The next block; *ret_found is false behind the last. */
enum keystay_status key_text_next(
    struct key_text *text, struct key_block *ret_block, bool *ret_found, struct keystay_error *err);

/* All of the text as one body without armour; a fault when it is none. */
enum keystay_status key_text_bare(
    struct key_text *text, struct key_block *ret_block, struct keystay_error *err);

#endif
