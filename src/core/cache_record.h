/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CACHE_RECORD_H
#define CORE_CACHE_RECORD_H

/*
 * What stands in a file of the disk cache: one JSON object with the key's whole text and either a token with
 * its times, or the moment until which a server asked to be left alone. Read like any foreign input.
 */

#include "base/buf.h"
#include "base/clock.h"
#include "core/cache_key.h"
#include "oauth/access_token.h"

enum { CACHE_RECORD_MAX = TOKEN_LEN_MAX + 64 * 1024 };

struct cache_record {
    struct keystay_token *token; /* owned; NULL: only wait_until_s */
    int64_t wait_until_s;
    int64_t lead_s; /* of that: clock_lead_s */
};

void cache_record_clear(struct cache_record *record);

enum keystay_status cache_record_write(
    const struct cache_key *key, const struct cache_record *record, struct buf *ret_text,
    struct keystay_error *err);

/*
 * KEYSTAY_E_CONFIG with the reason when the text is not a record, is another key's, or was written by a clock
 * that was ahead of now's: its times mean nothing then.
 */
enum keystay_status cache_record_parse(
    struct slice text, const struct cache_key *key, struct clock_moment now, struct cache_record *ret_record,
    struct keystay_error *err);

/* Whether a text is the record of a key that begins with base. For clearing: a record is not judged. */
bool cache_record_is_of(struct slice text, const struct cache_key *base);

#endif
