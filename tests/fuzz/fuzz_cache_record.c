/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the disk cache: what is taken from one is written again in the same words. */
#include "core/cache_record.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const parts[] = { "entra", NULL, "contoso.example" };
    CLEANUP(cache_key_clear) struct cache_key key = { 0 };
    CLEANUP(cache_record_clear) struct cache_record record = { 0 };
    CLEANUP(cache_record_clear) struct cache_record again = { 0 };
    CLEANUP(buf_clear) struct buf text = BUF(CACHE_RECORD_MAX);
    const struct clock_moment now = { 1700000000, 1699990000 };

    if (cache_key_make(NULL, parts, 3, &key, NULL) != KEYSTAY_OK ||
        cache_record_parse((struct slice){ data, size }, &key, now, &record, NULL) != KEYSTAY_OK) {
        return 0;
    }
    MUST(cache_record_write(&key, &record, &text, NULL) == KEYSTAY_OK);
    MUST(cache_record_parse(buf_slice(&text), &key, now, &again, NULL) == KEYSTAY_OK);
    MUST(
        again.wait_until_s == record.wait_until_s && again.lead_s == record.lead_s &&
        (again.token == NULL) == (record.token == NULL));
    if (record.token != NULL) {
        MUST(again.token->expires_at_s == record.token->expires_at_s);
        MUST(slice_equal(secret_slice(&again.token->value), secret_slice(&record.token->value)));
    }
    return 0;
}
