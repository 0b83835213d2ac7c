/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/wipe.h"

enum { BUF_FIRST_CAPACITY = 256 };

void buf_clear(struct buf *buf)
{
    if (buf->data != NULL) {
        wipe(buf->data, buf->capacity);
        free(buf->data);
    }
    *buf = BUF(buf->max);
}

/* Makes room for need bytes and a NUL. realloc would leave a copy behind. */
static enum keystay_status reserve(struct buf *buf, size_t need, struct keystay_error *err)
{
    size_t capacity = buf->capacity == 0 ? BUF_FIRST_CAPACITY : buf->capacity;

    if (need < buf->capacity) {
        return KEYSTAY_OK;
    }
    while (capacity <= need) {
        capacity *= 2;
    }
    uint8_t *grown = malloc(capacity);
    if (grown == NULL) {
        return err_no_memory(err);
    }
    if (buf->len > 0) {
        memcpy(grown, buf->data, buf->len);
    }
    if (buf->data != NULL) {
        wipe(buf->data, buf->capacity);
        free(buf->data);
    }
    buf->data = grown;
    buf->capacity = capacity;
    return KEYSTAY_OK;
}

enum keystay_status buf_put(struct buf *buf, struct slice bytes, struct keystay_error *err)
{
    if (bytes.len > buf->max - buf->len) {
        return err_set(err, KEYSTAY_E_NO_MEMORY, "more than %zu bytes where no more are allowed", buf->max);
    }
    TRY(reserve(buf, buf->len + bytes.len, err));
    if (bytes.len > 0) {
        memcpy(buf->data + buf->len, bytes.data, bytes.len);
    }
    buf->len += bytes.len;
    buf->data[buf->len] = '\0';
    return KEYSTAY_OK;
}

enum keystay_status buf_puts(struct buf *buf, const char *text, struct keystay_error *err)
{
    return buf_put(buf, slice_of_str(text), err);
}

enum keystay_status buf_putc(struct buf *buf, char c, struct keystay_error *err)
{
    return buf_put(buf, (struct slice){ (const uint8_t *)&c, 1 }, err);
}

struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){ buf->data, buf->len };
}

const char *buf_str(const struct buf *buf)
{
    return buf->data == NULL ? "" : (const char *)buf->data;
}
