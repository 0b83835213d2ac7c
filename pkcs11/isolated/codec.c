/* SPDX-License-Identifier: Apache-2.0 */
#include "pkcs11/isolated/codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"

/* A buffer that could not take something takes nothing more: max 0 says so, for encode_end. */
static void put(struct buf *to, struct slice bytes)
{
    if (to->max > 0 && buf_put(to, bytes, NULL) != KEYSTAY_OK) {
        buf_clear(to);
        to->max = 0;
    }
}

static void put_number(struct buf *to, uint64_t value, size_t size)
{
    uint8_t bytes[sizeof(value)];

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
    put(to, (struct slice){ bytes, size });
}

void encode_u8(struct buf *to, uint8_t value)
{
    put_number(to, value, 1);
}

void encode_u32(struct buf *to, uint32_t value)
{
    put_number(to, value, 4);
}

void encode_u64(struct buf *to, uint64_t value)
{
    put_number(to, value, 8);
}

void encode_bytes(struct buf *to, struct slice bytes)
{
    encode_u32(to, (uint32_t)bytes.len); /* what is longer than 4 GiB does not fit into any buffer */
    put(to, bytes);
}

void encode_text(struct buf *to, const char *text)
{
    encode_bytes(to, slice_of_str(text));
}

void encode_text_or_null(struct buf *to, const char *text)
{
    encode_u8(to, text != NULL);
    if (text != NULL) {
        encode_text(to, text);
    }
}

enum keystay_status encode_end(struct buf *to, struct keystay_error *err)
{
    return to->max > 0 ? KEYSTAY_OK
                       : err_set(err, KEYSTAY_E_CONFIG, "the settings are too long for the signer process");
}

/* The next len bytes; none of them after a failure. */
static struct slice take(struct decode *in, size_t len)
{
    struct slice taken = { in->rest.data, len };

    if (in->has_failed || len > in->rest.len) {
        in->has_failed = true;
        return (struct slice){ NULL, 0 };
    }
    in->rest.data += len;
    in->rest.len -= len;
    return taken;
}

static uint64_t take_number(struct decode *in, size_t size)
{
    struct slice bytes = take(in, size);
    uint64_t value = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        value = value << 8 | bytes.data[i];
    }
    return value;
}

uint8_t decode_u8(struct decode *in)
{
    return (uint8_t)take_number(in, 1);
}

bool decode_bool(struct decode *in)
{
    uint8_t value = decode_u8(in);

    in->has_failed = in->has_failed || value > 1;
    return value == 1 && !in->has_failed;
}

uint32_t decode_u32(struct decode *in, uint32_t max)
{
    uint32_t value = (uint32_t)take_number(in, 4);

    in->has_failed = in->has_failed || value > max;
    return in->has_failed ? 0 : value;
}

uint64_t decode_u64(struct decode *in)
{
    return take_number(in, 8);
}

int64_t decode_i64(struct decode *in)
{
    uint64_t bits = decode_u64(in);
    int64_t value = 0;

    memcpy(&value, &bits, sizeof(value)); /* two's complement on both ends: they are one program's halves */
    return value;
}

struct slice decode_bytes(struct decode *in, size_t max)
{
    size_t len = decode_u32(in, UINT32_MAX);

    in->has_failed = in->has_failed || len > max;
    return take(in, in->has_failed ? 0 : len);
}

/* Bytes that are a text. */
static struct slice take_text(struct decode *in, size_t max)
{
    struct slice text = decode_bytes(in, max);

    if (text.len > 0 && (memchr(text.data, '\0', text.len) != NULL || !str_is_utf8(text))) {
        in->has_failed = true;
        text.len = 0;
    }
    return text;
}

void decode_text(struct decode *in, char *text, size_t size)
{
    struct slice found = take_text(in, size - 1);

    if (found.len > 0) {
        memcpy(text, found.data, found.len);
    }
    text[found.len] = '\0';
}

char *decode_text_or_null(struct decode *in, size_t max)
{
    bool is_there = decode_bool(in);
    struct slice found = is_there ? take_text(in, max) : (struct slice){ NULL, 0 };
    char *text = NULL;

    if (is_there && !in->has_failed) {
        text = calloc(1, found.len + 1);
        in->has_failed = text == NULL;
    }
    if (text != NULL && found.len > 0) {
        memcpy(text, found.data, found.len);
    }
    return text;
}

enum keystay_status decode_end(const struct decode *in, struct keystay_error *err)
{
    return in->has_failed || in->rest.len > 0
               ? err_set(err, KEYSTAY_E_INTERNAL, "a message of the signer process makes no sense")
               : KEYSTAY_OK;
}
