/* SPDX-License-Identifier: Apache-2.0 */
/* What is decoded has one spelling: encoding it again gives the same text. What is encoded can be decoded. */
#include "fuzz.h"

#include "base/base64url.h"
#include "base/str.h"

enum { MAX = 1 << 21 };

static void check_decode(struct slice text)
{
    struct buf bytes = BUF(MAX);
    struct buf again = BUF(MAX);

    if (base64url_decode(text, &bytes, NULL) == KEYSTAY_OK) {
        MUST(base64url_encode(buf_slice(&bytes), &again, NULL) == KEYSTAY_OK);
        MUST(slice_equal(text, buf_slice(&again)));
    } else {
        MUST(bytes.len == 0);
    }
    buf_clear(&bytes);
    buf_clear(&again);
}

static void check_encode(struct slice bytes)
{
    struct buf text = BUF(MAX);
    struct buf again = BUF(MAX);

    MUST(base64url_encode(bytes, &text, NULL) == KEYSTAY_OK);
    MUST(str_is_visible_ascii(buf_slice(&text)));
    MUST(base64url_decode(buf_slice(&text), &again, NULL) == KEYSTAY_OK);
    MUST(slice_equal(bytes, buf_slice(&again)));
    buf_clear(&text);
    buf_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice input = { data, size };

    check_decode(input);
    check_encode(input);
    return 0;
}
