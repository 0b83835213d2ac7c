/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CACHE_KEY_H
#define CORE_CACHE_KEY_H

/*
 * What a token is kept under: everything that says which token it is, exactly as it was configured, so that a
 * look-up needs no module, no network and no server's word. Two requests that differ in any part have
 * different texts; the hash is for finding only, the text decides.
 */

#include "core/profile.h"

struct cache_key {
    char *text; /* owned; each part as "length:bytes,", an absent one as "-," */
    size_t len;
    uint64_t hash; /* of the text */
};

enum { CACHE_KEY_PARTS_MAX = 16 };

void cache_key_clear(struct cache_key *key);

/* base (NULL: nothing) and n further parts. A part may be NULL. */
enum keystay_status cache_key_make(
    const struct cache_key *base, const char *const *parts, size_t n, struct cache_key *ret_key,
    struct keystay_error *err);

/* What all requests of a profile have in common: server and client. */
enum keystay_status cache_key_of_profile(
    const struct keystay_profile *profile, struct cache_key *ret_key, struct keystay_error *err);

/* Part i of a key, borrowed; no data where it is absent. */
struct slice cache_key_part(const struct cache_key *key, size_t i);

bool cache_key_equal(const struct cache_key *a, const struct cache_key *b);

#endif
