/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer that is whole ends with its body, has a last status, and was not whole a byte before; what is
 * refused stays refused, whatever comes after it.
 */
#include "fuzz.h"

#include "http/local.h"

static void check_whole(struct slice text, const struct local_answer *answer)
{
    struct local_answer before = { 0 };
    const struct slice less = { text.data, text.len - 1 };

    MUST(answer->status >= 200 && answer->status <= 999);
    MUST(answer->body.len <= HTTP_BODY_MAX);
    MUST(answer->body.data + answer->body.len == text.data + text.len);
    MUST(local_answer_parse(less, &before, NULL) == KEYSTAY_OK && !before.is_whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct local_answer answer = { 0 };
    bool is_refused = false;

    for (size_t len = 0; len <= size; len += len < 256 ? 1 : 64) {
        const enum keystay_status status = local_answer_parse((struct slice){ data, len }, &answer, NULL);

        MUST(!is_refused || status != KEYSTAY_OK);
        is_refused = status != KEYSTAY_OK;
    }
    if (local_answer_parse((struct slice){ data, size }, &answer, NULL) == KEYSTAY_OK && answer.is_whole) {
        check_whole((struct slice){ data, size }, &answer);
    }
    return 0;
}
