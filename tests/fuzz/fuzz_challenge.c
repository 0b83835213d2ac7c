/* SPDX-License-Identifier: Apache-2.0 */
/* WWW-Authenticate values: what comes out is a claims request that every reader of JSON takes, or nothing. */
#include "base/json.h"
#include "fuzz.h"
#include "oauth/claims.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_clear) struct buf asked = BUF(CLAIMS_HEADER_MAX);
    CLEANUP(buf_clear) struct buf merged = BUF(4 * CLAIMS_MAX);
    CLEANUP(json_freep) struct json *object = NULL;
    struct keystay_error err;

    if (claims_of_challenge((struct slice){ data, size }, &asked, &err) != KEYSTAY_OK ||
        claims_add_capability(buf_slice(&asked), &merged, &err) != KEYSTAY_OK) {
        return 0;
    }
    MUST(json_parse_object(buf_slice(&merged), &object, NULL) == KEYSTAY_OK);
    MUST(json_member(object, "access_token") != NULL);
    return 0;
}
