/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cache_key.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { LENGTH_TEXT_MAX = 22 };

/* FNV-1a, 64 bits: it spreads well and costs a multiplication a byte. Nobody but the user himself chooses
 * what is hashed, and a collision costs a token kept, never a wrong one given. */
static const uint64_t fnv_start = 14695981039346656037U;
static const uint64_t fnv_prime = 1099511628211U;

static uint64_t hash_more(uint64_t hash, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (uint8_t)text[i]) * fnv_prime;
    }
    return hash;
}

void cache_key_clear(struct cache_key *key)
{
    free(key->text);
    *key = (struct cache_key){ 0 };
}

static char *put_number(char *to, size_t number)
{
    char digits[LENGTH_TEXT_MAX];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (n > 0) {
        *to++ = digits[--n];
    }
    return to;
}

/* Without the length in front, ("ab", "c") and ("a", "bc") would be the same. */
static char *put_part(char *to, const char *part, size_t len)
{
    if (part == NULL) {
        *to++ = '-';
    } else {
        to = put_number(to, len);
        *to++ = ':';
        memcpy(to, part, len); /* NOLINT(bugprone-not-null-terminated-result): a comma ends it */
        to += len;
    }
    *to++ = ',';
    return to;
}

enum keystay_status cache_key_make(
    const struct cache_key *base, const char *const *parts, size_t n, struct cache_key *ret_key,
    struct keystay_error *err)
{
    size_t base_len = base == NULL ? 0 : base->len;
    size_t size = base_len + 1;
    size_t lens[CACHE_KEY_PARTS_MAX] = { 0 };

    if (n > CACHE_KEY_PARTS_MAX) {
        return err_set(err, KEYSTAY_E_INTERNAL, "a key of too many parts");
    }
    for (size_t i = 0; i < n; i++) {
        lens[i] = parts[i] == NULL ? 0 : strlen(parts[i]);
        size += LENGTH_TEXT_MAX + 2 + lens[i];
    }
    char *text = malloc(size);
    if (text == NULL) {
        return err_no_memory(err);
    }
    memcpy(text, base == NULL ? "" : base->text, base_len);
    char *end = text + base_len;
    for (size_t i = 0; i < n; i++) {
        end = put_part(end, parts[i], lens[i]);
    }
    *end = '\0';
    size_t len = (size_t)(end - text);
    uint64_t hash = hash_more(base == NULL ? fnv_start : base->hash, text + base_len, len - base_len);
    *ret_key = (struct cache_key){ text, len, hash };
    return KEYSTAY_OK;
}

enum keystay_status cache_key_of_profile(
    const struct keystay_profile *profile, struct cache_key *ret_key, struct keystay_error *err)
{
    static const char *const names[] = { "provider", "authority", "issuer",  "token-endpoint",
                                         "tenant",   "client-id", "subject", "grant" };
    const char *parts[ARRAY_LEN(names)];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        parts[i] = keystay_profile_get(profile, names[i]);
    }
    return cache_key_make(NULL, parts, ARRAY_LEN(parts), ret_key, err);
}

struct slice cache_key_part(const struct cache_key *key, size_t i)
{
    const char *at = key->text;
    const char *end = key->text + key->len;

    while (at < end) {
        size_t len = 0;
        const bool is_absent = *at == '-';

        for (; !is_absent && *at != ':'; at++) {
            len = 10 * len + (size_t)(*at - '0');
        }
        at++; /* the '-' or the ':' */
        if (i-- == 0) {
            return (struct slice){ is_absent ? NULL : (const uint8_t *)at, len };
        }
        at += len + 1;
    }
    return (struct slice){ 0 };
}

bool cache_key_equal(const struct cache_key *a, const struct cache_key *b)
{
    return a->hash == b->hash && a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}
