/* SPDX-License-Identifier: Apache-2.0 */
/* Files of an agent of before: a header comes only from a text that is written again in the same words. */
#include <string.h>

#include "agent/environment_text.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct environment_text text = { "/run/a.sock", "web", "main", "http://127.0.0.1:1/MSI/token",
                                           "id" };
    const struct slice content = { data, size };
    CLEANUP(buf_clear) struct buf again = BUF(ENVIRONMENT_TEXT_MAX);
    char header[GRANT_HEADER_SIZE] = "";

    if (!environment_text_read(&text, content, header)) {
        MUST(header[0] == '\0');
        return 0;
    }
    MUST(strlen(header) == GRANT_HEADER_SIZE - 1);
    MUST(environment_text_is_of(content, text.agent, text.grant));
    MUST(environment_text_write(&text, header, &again, NULL) == KEYSTAY_OK);
    MUST(slice_equal(buf_slice(&again), content));
    return 0;
}
