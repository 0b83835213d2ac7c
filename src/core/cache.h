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

enum { CACHE_TOKENS_MAX = 16384, CACHE_RETRY_FIRST_S = 4, CACHE_RETRY_MAX_S = 60 };

enum keystay_status cache_new(struct cache **ret_cache, struct keystay_error *err);
void cache_freep(struct cache **cache);

/*
 * The token kept under a key, owned by the caller, to whom it has been handed out; NULL when there is none.
 * *ret_is_due is true for the one caller who shall renew it ahead of need, and for the next one only after
 * retry_s more seconds. It may be NULL where somebody else sees to that: cache_take_due.
 */
struct keystay_token *cache_find(
    struct cache *cache, const struct cache_key *key, int64_t now_s, int64_t retry_s, bool *ret_is_due);

/*
 * Keeps a token (borrowed: the cache becomes a holder of its own) in place of the one before. From renew_at_s
 * on it is due; nobody has had it yet. A cache that is full forgets the token that ends first.
 */
enum keystay_status cache_put(
    struct cache *cache, const struct cache_key *key, struct keystay_token *token, int64_t renew_at_s,
    int64_t now_s, struct keystay_error *err);

/* Says that the token kept under a key was handed out, by whoever has got it. */
void cache_note_use(struct cache *cache, const struct cache_key *key);

/*
 * For who renews without being asked: up to max keys, each owned by the caller, of tokens that are due, live
 * and have been handed out. Says how many. One that is not replaced is due again after CACHE_RETRY_FIRST_S,
 * then after twice as long, up to CACHE_RETRY_MAX_S. What it costs is the look at a number while none is due.
 */
size_t cache_take_due(struct cache *cache, struct clock_moment now, struct cache_key *ret_keys, size_t max);

/* Forgets all of them; whoever holds one goes on holding it. */
void cache_clear(struct cache *cache);

/* Shows each one. view must be quick and must not call the cache: nobody else can meanwhile. */
typedef void (*cache_viewer)(void *context, const struct cache_key *key, const struct keystay_token *token);
void cache_walk(struct cache *cache, cache_viewer view, void *context);

/* How many tokens there are. */
size_t cache_count(struct cache *cache);

#endif
