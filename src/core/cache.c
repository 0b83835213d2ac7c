/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table with open addressing: at most half full, linear probing, entries moved up when one is removed,
 * so that a look-up never meets a hole that once was an entry.
 */
#include "core/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { ROOM_MIN = 64 };

struct entry {
    struct cache_key key;        /* owned */
    struct keystay_token *token; /* held; NULL: the place is free */
    int64_t renew_at_s;
    int64_t retry_s; /* after which it is due again; 0: nobody has been told yet */
    bool was_used;   /* handed out */
};

struct cache {
    pthread_mutex_t lock; /* over all below */
    struct entry *entries;
    size_t room; /* a power of two */
    size_t n;
    int64_t next_due_s; /* before then cache_take_due finds nothing */
};

enum keystay_status cache_new(struct cache **ret_cache, struct keystay_error *err)
{
    struct cache *cache = calloc(1, sizeof(*cache));
    struct entry *entries = calloc(ROOM_MIN, sizeof(*entries));

    if (cache == NULL || entries == NULL) {
        free(cache);
        free(entries);
        return err_no_memory(err);
    }
    cache->entries = entries;
    cache->room = ROOM_MIN;
    cache->next_due_s = INT64_MAX;
    (void)pthread_mutex_init(&cache->lock, NULL);
    *ret_cache = cache;
    return KEYSTAY_OK;
}

static void clear_entry(struct entry *entry)
{
    cache_key_clear(&entry->key);
    token_freep(&entry->token);
}

void cache_freep(struct cache **cache)
{
    if (*cache != NULL) {
        for (size_t i = 0; i < (*cache)->room; i++) {
            clear_entry(&(*cache)->entries[i]);
        }
        (void)pthread_mutex_destroy(&(*cache)->lock);
        free((*cache)->entries);
        free(*cache);
    }
    *cache = NULL;
}

static size_t home_of(const struct cache *cache, const struct cache_key *key)
{
    return (size_t)key->hash & (cache->room - 1);
}

static size_t next_of(const struct cache *cache, size_t i)
{
    return (i + 1) & (cache->room - 1);
}

/* The entry of a key, or the free place where it would go. */
static struct entry *find(struct cache *cache, const struct cache_key *key)
{
    size_t i = home_of(cache, key);

    while (cache->entries[i].token != NULL && !cache_key_equal(&cache->entries[i].key, key)) {
        i = next_of(cache, i);
    }
    return &cache->entries[i];
}

/* Under the lock. */
static void note_use(struct cache *cache, struct entry *entry)
{
    if (entry->token != NULL) {
        entry->was_used = true;
        cache->next_due_s = entry->renew_at_s < cache->next_due_s ? entry->renew_at_s : cache->next_due_s;
    }
}

void cache_note_use(struct cache *cache, const struct cache_key *key)
{
    (void)pthread_mutex_lock(&cache->lock);
    note_use(cache, find(cache, key));
    (void)pthread_mutex_unlock(&cache->lock);
}

struct keystay_token *cache_find(
    struct cache *cache, const struct cache_key *key, int64_t now_s, int64_t retry_s, bool *ret_is_due)
{
    (void)pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, key);
    struct keystay_token *token = entry->token == NULL ? NULL : token_share(entry->token);
    if (ret_is_due != NULL) {
        *ret_is_due = token != NULL && now_s >= entry->renew_at_s;
        entry->renew_at_s = *ret_is_due ? now_s + retry_s : entry->renew_at_s;
    }
    note_use(cache, entry);
    (void)pthread_mutex_unlock(&cache->lock);
    return token;
}

/* Frees a place, and moves up those behind it that would not be found any more. */
static void remove_at(struct cache *cache, size_t hole)
{
    clear_entry(&cache->entries[hole]);
    cache->n--;
    for (size_t i = next_of(cache, hole); cache->entries[i].token != NULL; i = next_of(cache, i)) {
        size_t from_home = (i - home_of(cache, &cache->entries[i].key)) & (cache->room - 1);
        size_t from_hole = (i - hole) & (cache->room - 1);
        if (from_home >= from_hole) {
            cache->entries[hole] = cache->entries[i];
            cache->entries[i] = (struct entry){ 0 };
            hole = i;
        }
    }
}

static enum keystay_status grow(struct cache *cache, struct keystay_error *err)
{
    struct entry *before = cache->entries;
    size_t room_before = cache->room;
    struct entry *entries = calloc(2 * room_before, sizeof(*entries));

    if (entries == NULL) {
        return err_no_memory(err);
    }
    cache->entries = entries;
    cache->room = 2 * room_before;
    for (size_t i = 0; i < room_before; i++) {
        if (before[i].token != NULL) {
            *find(cache, &before[i].key) = before[i];
        }
    }
    free(before);
    return KEYSTAY_OK;
}

static void forget_ended(struct cache *cache, int64_t now_s)
{
    for (size_t i = 0; i < cache->room;) {
        const struct keystay_token *token = cache->entries[i].token;

        if (token != NULL && token->expires_at_s <= now_s) {
            remove_at(cache, i); /* another may have moved here: look again */
        } else {
            i++;
        }
    }
}

/* There is at least one. */
static void forget_first_to_end(struct cache *cache)
{
    const struct entry *first = NULL;

    for (size_t i = 0; i < cache->room; i++) {
        const struct entry *entry = &cache->entries[i];

        if (entry->token != NULL &&
            (first == NULL || entry->token->expires_at_s < first->token->expires_at_s)) {
            first = entry;
        }
    }
    remove_at(cache, (size_t)(first - cache->entries));
}

/* Those that have ended go first: who runs for months would keep one for each claims challenge there was. */
static enum keystay_status make_room(struct cache *cache, int64_t now_s, struct keystay_error *err)
{
    if (2 * (cache->n + 1) > cache->room || cache->n >= CACHE_TOKENS_MAX) {
        forget_ended(cache, now_s);
    }
    if (cache->n >= CACHE_TOKENS_MAX) {
        forget_first_to_end(cache);
    }
    return 2 * (cache->n + 1) > cache->room ? grow(cache, err) : KEYSTAY_OK;
}

/* A place for a key that is not there yet. */
static enum keystay_status add(
    struct cache *cache, const struct cache_key *key, int64_t now_s, struct entry **ret_entry,
    struct keystay_error *err)
{
    TRY(make_room(cache, now_s, err));
    struct entry *entry = find(cache, key);
    TRY(cache_key_make(key, NULL, 0, &entry->key, err));
    cache->n++;
    *ret_entry = entry;
    return KEYSTAY_OK;
}

static enum keystay_status put(
    struct cache *cache, const struct cache_key *key, struct keystay_token *token, int64_t renew_at_s,
    int64_t now_s, struct keystay_error *err)
{
    struct entry *entry = find(cache, key);

    if (entry->token == NULL) {
        TRY(add(cache, key, now_s, &entry, err));
    }
    token_freep(&entry->token);
    entry->token = token_share(token);
    entry->renew_at_s = renew_at_s;
    entry->retry_s = 0;
    entry->was_used = false;
    return KEYSTAY_OK;
}

enum keystay_status cache_put(
    struct cache *cache, const struct cache_key *key, struct keystay_token *token, int64_t renew_at_s,
    int64_t now_s, struct keystay_error *err)
{
    (void)pthread_mutex_lock(&cache->lock);
    enum keystay_status status = put(cache, key, token, renew_at_s, now_s, err);
    (void)pthread_mutex_unlock(&cache->lock);
    return status;
}

/* Whether the key of an entry that is due could be copied. */
static bool take(struct entry *entry, int64_t now_s, struct cache_key *ret_key)
{
    if (cache_key_make(&entry->key, NULL, 0, ret_key, NULL) != KEYSTAY_OK) {
        return false;
    }
    entry->retry_s = entry->retry_s == 0 ? CACHE_RETRY_FIRST_S : 2 * entry->retry_s;
    entry->retry_s = entry->retry_s > CACHE_RETRY_MAX_S ? CACHE_RETRY_MAX_S : entry->retry_s;
    entry->renew_at_s = now_s + entry->retry_s;
    return true;
}

/* Under the lock. */
static size_t take_due(struct cache *cache, struct clock_moment now, struct cache_key *ret_keys, size_t max)
{
    size_t n = 0;

    cache->next_due_s = INT64_MAX;
    for (size_t i = 0; i < cache->room; i++) {
        struct entry *entry = &cache->entries[i];

        if (entry->token == NULL || !entry->was_used || token_left_s(entry->token, now) <= 0) {
            continue;
        }
        n += n < max && entry->renew_at_s <= now.now_s && take(entry, now.now_s, &ret_keys[n]);
        cache->next_due_s = entry->renew_at_s < cache->next_due_s ? entry->renew_at_s : cache->next_due_s;
    }
    return n;
}

size_t cache_take_due(struct cache *cache, struct clock_moment now, struct cache_key *ret_keys, size_t max)
{
    (void)pthread_mutex_lock(&cache->lock);
    size_t n = now.now_s < cache->next_due_s ? 0 : take_due(cache, now, ret_keys, max);
    (void)pthread_mutex_unlock(&cache->lock);
    return n;
}

void cache_clear(struct cache *cache)
{
    (void)pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < cache->room; i++) {
        clear_entry(&cache->entries[i]);
    }
    cache->n = 0;
    (void)pthread_mutex_unlock(&cache->lock);
}

size_t cache_count(struct cache *cache)
{
    (void)pthread_mutex_lock(&cache->lock);
    size_t n = cache->n;
    (void)pthread_mutex_unlock(&cache->lock);
    return n;
}

void cache_walk(struct cache *cache, cache_viewer view, void *context)
{
    (void)pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < cache->room; i++) {
        if (cache->entries[i].token != NULL) {
            view(context, &cache->entries[i].key, cache->entries[i].token);
        }
    }
    (void)pthread_mutex_unlock(&cache->lock);
}
