/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64url.h"

#include "base/error.h"

static const char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char plain_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* One to three bytes make two to four characters; four are written. */
static void encode_group(const char *alphabet, const uint8_t *bytes, size_t n, uint8_t ret_text[4])
{
    uint32_t group = (uint32_t)bytes[0] << 16;

    group |= n > 1 ? (uint32_t)bytes[1] << 8 : 0;
    group |= n > 2 ? bytes[2] : 0;
    for (size_t k = 0; k < 4; k++) {
        ret_text[k] = (uint8_t)alphabet[group >> (18 - 6 * k) & 0x3F];
    }
}

enum keystay_status base64url_encode(struct slice bytes, struct buf *to, struct keystay_error *err)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint8_t text[4];
        encode_group(url_alphabet, bytes.data + i, n, text);
        TRY(buf_put(to, (struct slice){ text, n + 1 }, err));
    }
    return KEYSTAY_OK;
}

enum keystay_status base64_encode(struct slice bytes, struct buf *to, struct keystay_error *err)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint8_t text[4];
        encode_group(plain_alphabet, bytes.data + i, n, text);
        for (size_t k = n + 1; k < 4; k++) {
            text[k] = '=';
        }
        TRY(buf_put(to, (struct slice){ text, sizeof(text) }, err));
    }
    return KEYSTAY_OK;
}

/* The value of one character, or -1. */
static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : (c == '_' ? 63 : -1);
}

/* Two to four characters make one to three bytes. False for a foreign character or stray bits. */
static int decode_group(const uint8_t *text, size_t n, uint8_t ret_bytes[3])
{
    uint32_t group = 0;

    for (size_t k = 0; k < 4; k++) {
        int value = k < n ? value_of(text[k]) : 0;
        if (value < 0) {
            return 0;
        }
        group = group << 6 | (uint32_t)value;
    }
    ret_bytes[0] = (uint8_t)(group >> 16);
    ret_bytes[1] = (uint8_t)(group >> 8);
    ret_bytes[2] = (uint8_t)group;
    return (n != 2 || (ret_bytes[1] | ret_bytes[2]) == 0) && (n != 3 || ret_bytes[2] == 0);
}

enum keystay_status base64url_decode(struct slice text, struct buf *to, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf decoded = BUF(to->max);

    if (text.len % 4 == 1) {
        return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "base64url text has an impossible length");
    }
    for (size_t i = 0; i < text.len; i += 4) {
        size_t n = text.len - i < 4 ? text.len - i : 4;
        uint8_t bytes[3];
        if (!decode_group(text.data + i, n, bytes)) {
            return err_set(err, KEYSTAY_E_SERVER_RESPONSE, "text is not base64url");
        }
        TRY(buf_put(&decoded, (struct slice){ bytes, n - 1 }, err));
    }
    return buf_put(to, buf_slice(&decoded), err);
}
