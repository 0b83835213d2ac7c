/* SPDX-License-Identifier: Apache-2.0 */
#include "http/form.h"

#include <string.h>

enum keystay_status form_encode(struct buf *to, struct slice text, struct keystay_error *err)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (memchr(unreserved, c, sizeof(unreserved) - 1) != NULL) {
            TRY(buf_putc(to, (char)c, err));
            continue;
        }
        const uint8_t escape[3] = { '%', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 0x0F] };
        TRY(buf_put(to, (struct slice){ escape, sizeof(escape) }, err));
    }
    return KEYSTAY_OK;
}
