/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <stdlib.h>

char *text_of(size_t n, char c)
{
    char *text = malloc(n + 1);

    assert_non_null(text);
    memset(text, c, n);
    text[n] = '\0';
    return text;
}

/* Each copy has its very size, for the sanitizers. */
void assert_only_whole(const struct buf *body, reader read, const char *name)
{
    for (size_t len = 0; len <= body->len + 1; len++) {
        CLEANUP(freep) uint8_t *copy = calloc(1, len + (len == 0));

        assert_non_null(copy);
        memcpy(copy, body->data, len < body->len ? len : body->len);
        enum keystay_status status = read((struct slice){ copy, len });
        assert_row((status == KEYSTAY_OK) == (len == body->len), name);
    }
}

void assert_refused(const struct buf *body, reader read, const char *name)
{
    assert_row(body->len > 0 && read(buf_slice(body)) == KEYSTAY_E_INTERNAL, name);
}
