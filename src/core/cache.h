/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CACHE_H
#define CORE_CACHE_H

/*
 * Tokens in memory, by key. A look-up takes the same time with ten tokens and with ten thousand.
 *
 * Which token is still good enough is the caller's to say; the cache only forgets those that have ended,
 * before it grows. Safe for several threads at once.
 */

#include "core/cache_key.h"
#include "oauth/access_token.h"

struct cache;

enum { CACHE_TOKENS_MAX = 16384 };

enum keystay_status cache_new(struct cache **ret_cache, struct keystay_error *err);
void cache_freep(struct cache **cache);

/*
 * The token kept under a key, owned by the caller; NULL when there is none. *ret_is_due is true for the one
 * caller who shall renew it ahead of need, and for the next one only after retry_s more seconds.
 */
struct keystay_token *cache_find(
    struct cache *cache, const struct cache_key *key, int64_t now_s, int64_t retry_s, bool *ret_is_due);

/*
 * Keeps a token (borrowed: the cache becomes a holder of its own) in place of the one before. From renew_at_s
 * on it is due. A cache that is full forgets the token that ends first.
 */
enum keystay_status cache_put(
    struct cache *cache, const struct cache_key *key, struct keystay_token *token, int64_t renew_at_s,
    int64_t now_s, struct keystay_error *err);

/* Forgets all of them; whoever holds one goes on holding it. */
void cache_clear(struct cache *cache);

/* Shows each one. view must be quick and must not call the cache: nobody else can meanwhile. */
typedef void (*cache_viewer)(void *context, const struct cache_key *key, const struct keystay_token *token);
void cache_walk(struct cache *cache, cache_viewer view, void *context);

/* How many tokens there are. */
size_t cache_count(struct cache *cache);

#endif
