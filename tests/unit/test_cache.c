/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, and tokens kept under them in memory. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "core/cache.h"
#include "core/cache_key.h"
#include "core/profile.h"

enum { NOW_S = 1700000000, LIFE_S = 3600, RETRY_S = 60 };

static struct keystay_token *token_of(const char *value, int64_t expires_at_s)
{
    struct keystay_token *token = NULL;

    assert_ok(token_new(&token, NULL));
    assert_ok(secret_set(&token->value, slice_of_str(value), NULL));
    token->expires_at_s = expires_at_s;
    return token;
}

static struct cache_key key_of(const char *a, const char *b)
{
    const char *const parts[] = { a, b };
    struct cache_key key;

    assert_ok(cache_key_make(NULL, parts, 2, &key, NULL));
    return key;
}

static void put(struct cache *cache, const char *name, int64_t expires_at_s)
{
    CLEANUP(cache_key_clear) struct cache_key key = key_of(name, NULL);
    CLEANUP(token_freep) struct keystay_token *token = token_of(name, expires_at_s);

    assert_ok(cache_put(cache, &key, token, expires_at_s, NOW_S, NULL));
}

/* Whether there is one, and it is the one that was put there. */
static bool has(struct cache *cache, const char *name)
{
    CLEANUP(cache_key_clear) struct cache_key key = key_of(name, NULL);
    CLEANUP(token_freep) struct keystay_token *token = NULL;
    bool is_due = false;

    token = cache_find(cache, &key, NOW_S, RETRY_S, &is_due);
    assert_false(is_due);
    if (token != NULL) {
        assert_string_equal(keystay_token_value(token), name);
    }
    return token != NULL;
}

TEST(freeing_nothing_is_fine)
{
    struct cache *cache = NULL;
    struct cache_key key = { 0 };

    cache_freep(&cache);
    cache_key_clear(&key);
}

TEST(keys_differ_when_any_part_does)
{
    static const char *const pairs[][2] = {
        { "ab", "c" },  { "a", "bc" }, { "abc", NULL }, { NULL, "abc" },  { "abc", "" }, { "", "abc" },
        { NULL, NULL }, { "", "" },    { "-", NULL },   { "1:a,", NULL }, { "a", "-," }, { "a,1:b", "c" },
    };

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        for (size_t j = 0; j < ARRAY_LEN(pairs); j++) {
            CLEANUP(cache_key_clear) struct cache_key a = key_of(pairs[i][0], pairs[i][1]);
            CLEANUP(cache_key_clear) struct cache_key b = key_of(pairs[j][0], pairs[j][1]);
            assert_int_equal(cache_key_equal(&a, &b), i == j);
        }
    }
}

TEST(a_key_grows_from_another)
{
    static const char *const more[] = { "b", NULL };
    CLEANUP(cache_key_clear) struct cache_key whole = key_of("a", "b");
    CLEANUP(cache_key_clear) struct cache_key base = { 0 };
    CLEANUP(cache_key_clear) struct cache_key grown = { 0 };
    const char *const first[] = { "a" };

    assert_ok(cache_key_make(NULL, first, 1, &base, NULL));
    assert_ok(cache_key_make(&base, more, 1, &grown, NULL));
    assert_string_equal(grown.text, "1:a,1:b,");
    assert_true(cache_key_equal(&whole, &grown));
}

TEST(a_profile_has_a_key_of_its_own)
{
    struct keystay_profile *profile = NULL;
    CLEANUP(cache_key_clear) struct cache_key before = { 0 };
    static const char *const names[] = { "tenant", "client-id",      "authority",
                                         "issuer", "token-endpoint", "provider" };
    static const char *const texts[] = {
        "t.example", "c", "https://a.example", "https://i.example", "https://e.example/token", "adfs"
    };

    assert_ok(keystay_profile_new(&profile, NULL));
    assert_ok(cache_key_of_profile(profile, &before, NULL));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(cache_key_clear) struct cache_key after = { 0 };

        assert_ok(keystay_profile_set(profile, names[i], texts[i], NULL));
        assert_ok(cache_key_of_profile(profile, &after, NULL));
        assert_row(!cache_key_equal(&before, &after), names[i]);
        cache_key_clear(&before);
        assert_ok(cache_key_of_profile(profile, &before, NULL));
    }
    profile_freep(&profile);
}

TEST(what_was_put_is_found_and_nothing_else)
{
    CLEANUP(cache_freep) struct cache *cache = NULL;

    assert_ok(cache_new(&cache, NULL));
    assert_false(has(cache, "a"));
    put(cache, "a", NOW_S + LIFE_S);
    assert_true(has(cache, "a"));
    assert_false(has(cache, "b"));
    put(cache, "a", NOW_S + LIFE_S);
    assert_int_equal(cache_count(cache), 1);
}

TEST(a_token_that_is_found_outlives_the_cache)
{
    struct cache *cache = NULL;
    CLEANUP(cache_key_clear) struct cache_key key = key_of("a", NULL);
    bool is_due = false;

    assert_ok(cache_new(&cache, NULL));
    put(cache, "a", NOW_S + LIFE_S);
    struct keystay_token *token = cache_find(cache, &key, NOW_S, RETRY_S, &is_due);
    cache_freep(&cache);
    assert_string_equal(keystay_token_value(token), "a");
    keystay_token_free(token);
}

/* One caller renews; the next one is told a minute later. */
TEST(one_caller_is_told_that_it_is_due)
{
    CLEANUP(cache_freep) struct cache *cache = NULL;
    CLEANUP(cache_key_clear) struct cache_key key = key_of("a", NULL);
    CLEANUP(token_freep) struct keystay_token *token = token_of("a", NOW_S + LIFE_S);
    static const struct {
        int64_t after_s;
        bool is_due;
    } rows[] = {
        { 99, false }, { 100, true }, { 100, false }, { 159, false }, { 160, true }, { 161, false }
    };

    assert_ok(cache_new(&cache, NULL));
    assert_ok(cache_put(cache, &key, token, NOW_S + 100, NOW_S, NULL));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool is_due = false;
        keystay_token_free(cache_find(cache, &key, NOW_S + rows[i].after_s, RETRY_S, &is_due));
        assert_int_equal(is_due, rows[i].is_due);
    }
}

static const char *name_of(size_t i, char name[24])
{
    (void)snprintf(name, 24, "token-%zu", i);
    return name;
}

static void put_due(struct cache *cache, const char *name, int64_t renew_after_s)
{
    CLEANUP(cache_key_clear) struct cache_key key = key_of(name, NULL);
    CLEANUP(token_freep) struct keystay_token *token = token_of(name, NOW_S + LIFE_S);

    assert_ok(cache_put(cache, &key, token, NOW_S + renew_after_s, NOW_S, NULL));
}

static void use(struct cache *cache, const char *name)
{
    CLEANUP(cache_key_clear) struct cache_key key = key_of(name, NULL);

    cache_note_use(cache, &key);
}

enum { TAKEN_MAX = 4 };

/* The names of those that are taken, in order: at most max. */
static const char *taken(struct cache *cache, int64_t after_s, size_t max)
{
    static char names[100];
    struct cache_key keys[TAKEN_MAX];
    const size_t n = cache_take_due(cache, (struct clock_moment){ NOW_S + after_s, 0 }, keys, max);

    assert_true(n <= max);
    names[0] = '\0';
    for (char name = 'a'; name <= 'z'; name++) {
        const char text[] = { name, '\0' };
        CLEANUP(cache_key_clear) struct cache_key key = key_of(text, NULL);

        for (size_t i = 0; i < n; i++) {
            if (cache_key_equal(&keys[i], &key)) {
                names[strlen(names) + 1] = '\0';
                names[strlen(names)] = name;
            }
        }
    }
    assert_int_equal(strlen(names), n);
    for (size_t i = 0; i < n; i++) {
        cache_key_clear(&keys[i]);
    }
    return names;
}

TEST(what_is_due_is_taken_if_it_was_used)
{
    CLEANUP(cache_freep) struct cache *cache = NULL;

    assert_ok(cache_new(&cache, NULL));
    assert_string_equal(taken(cache, LIFE_S, TAKEN_MAX), "");
    put_due(cache, "a", 100);
    put_due(cache, "b", 200);
    put_due(cache, "c", 100);
    use(cache, "a");
    assert_true(has(cache, "b")); /* finding it is using it */
    use(cache, "nobody");
    assert_string_equal(taken(cache, 99, TAKEN_MAX), "");
    assert_string_equal(taken(cache, 100, TAKEN_MAX), "a");
    assert_string_equal(taken(cache, 100, TAKEN_MAX), "");
    put_due(cache, "a", 150); /* the new one: nobody has had it yet */
    assert_string_equal(taken(cache, 200, TAKEN_MAX), "b");
    use(cache, "c");
    assert_string_equal(taken(cache, 201, TAKEN_MAX), "c");
    cache_clear(cache);
    assert_string_equal(taken(cache, 1000, TAKEN_MAX), "");
}

TEST(what_is_not_replaced_is_due_again_later_and_later_until_it_ends)
{
    CLEANUP(cache_freep) struct cache *cache = NULL;
    int64_t at_s = 100;

    assert_ok(cache_new(&cache, NULL));
    put_due(cache, "a", at_s);
    use(cache, "a");
    for (int64_t retry_s = CACHE_RETRY_FIRST_S; at_s < LIFE_S; at_s += retry_s, retry_s *= 2) {
        retry_s = retry_s > CACHE_RETRY_MAX_S ? CACHE_RETRY_MAX_S : retry_s;
        assert_string_equal(taken(cache, at_s - 1, TAKEN_MAX), "");
        assert_string_equal(taken(cache, at_s, TAKEN_MAX), "a");
        use(cache, "a");
    }
    assert_string_equal(taken(cache, at_s, TAKEN_MAX), "");
}

TEST(no_more_are_taken_than_there_is_room_for)
{
    CLEANUP(cache_freep) struct cache *cache = NULL;

    assert_ok(cache_new(&cache, NULL));
    for (char name = 'a'; name <= 'c'; name++) {
        const char text[] = { name, '\0' };

        put_due(cache, text, 100);
        use(cache, text);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(strlen(taken(cache, 100, 1)), 1);
    }
    assert_string_equal(taken(cache, 100, 1), "");
    assert_string_equal(taken(cache, 100 + CACHE_RETRY_FIRST_S, TAKEN_MAX), "abc");
}

TEST(thousands_are_all_found)
{
    enum { N = 3000 };
    CLEANUP(cache_freep) struct cache *cache = NULL;
    char name[24];

    assert_ok(cache_new(&cache, NULL));
    for (size_t i = 0; i < N; i++) {
        put(cache, name_of(i, name), NOW_S + LIFE_S);
    }
    assert_int_equal(cache_count(cache), N);
    for (size_t i = 0; i < N; i++) {
        assert_row(has(cache, name_of(i, name)), name);
    }
}

/* Those that have ended go first; whatever is left is found, however it has moved. */
TEST(a_full_cache_forgets_what_has_ended)
{
    CLEANUP(cache_freep) struct cache *cache = NULL;
    char name[24];

    assert_ok(cache_new(&cache, NULL));
    for (size_t i = 0; i < CACHE_TOKENS_MAX; i++) {
        put(cache, name_of(i, name), i % 3 == 0 ? NOW_S - 1 : NOW_S + LIFE_S + (int64_t)i);
    }
    put(cache, "one more", NOW_S + LIFE_S);
    assert_true(has(cache, "one more"));
    for (size_t i = 0; i < CACHE_TOKENS_MAX; i++) {
        assert_row(i % 3 == 0 || has(cache, name_of(i, name)), name);
    }
    assert_true(cache_count(cache) <= CACHE_TOKENS_MAX - CACHE_TOKENS_MAX / 6);
}

TEST(a_full_cache_forgets_what_ends_first)
{
    CLEANUP(cache_freep) struct cache *cache = NULL;
    char name[24];

    assert_ok(cache_new(&cache, NULL));
    for (size_t i = 0; i < CACHE_TOKENS_MAX; i++) {
        put(cache, name_of(i, name), NOW_S + LIFE_S + (i == 77 ? -5 : (int64_t)i));
    }
    put(cache, "one more", NOW_S + LIFE_S);
    assert_int_equal(cache_count(cache), CACHE_TOKENS_MAX);
    assert_true(has(cache, "one more"));
    assert_false(has(cache, "token-77"));
    assert_true(has(cache, "token-0"));
}

/* A claims challenge is another one each time, and so is the key of its token. */
TEST(what_has_ended_does_not_pile_up)
{
    CLEANUP(cache_freep) struct cache *cache = NULL;
    char name[24];

    assert_ok(cache_new(&cache, NULL));
    put(cache, "alive", NOW_S + LIFE_S);
    for (size_t i = 0; i < CACHE_TOKENS_MAX / 2; i++) {
        put(cache, name_of(i, name), NOW_S - 1);
        assert_true(cache_count(cache) <= 64);
    }
    assert_true(has(cache, "alive"));
}

/* A token of one server, client or person is never another's. */
TEST(what_makes_another_token_makes_another_key)
{
    static const struct {
        const char *name, *value;
    } rows[] = {
        { "provider", "oidc" },
        { "authority", "https://x.example" },
        { "issuer", "https://x.example" },
        { "token-endpoint", "https://x" },
        { "tenant", "x" },
        { "client-id", "x" },
        { "subject", "x" },
        { "grant", "jwt-bearer" },
    };
    CLEANUP(profile_freep) struct keystay_profile *plain = NULL;
    CLEANUP(cache_key_clear) struct cache_key plain_key = { 0 };

    assert_ok(keystay_profile_new(&plain, NULL));
    assert_ok(cache_key_of_profile(plain, &plain_key, NULL));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(profile_freep) struct keystay_profile *profile = NULL;
        CLEANUP(cache_key_clear) struct cache_key key = { 0 };

        assert_ok(keystay_profile_new(&profile, NULL));
        assert_ok(keystay_profile_set(profile, rows[i].name, rows[i].value, NULL));
        assert_ok(cache_key_of_profile(profile, &key, NULL));
        assert_row(!cache_key_equal(&key, &plain_key), rows[i].name);
    }
}

TEST(a_cache_that_was_cleared_is_empty_and_goes_on)
{
    CLEANUP(cache_freep) struct cache *cache = NULL;

    assert_ok(cache_new(&cache, NULL));
    put(cache, "a", NOW_S + LIFE_S);
    put(cache, "b", NOW_S + LIFE_S);
    cache_clear(cache);
    assert_int_equal(cache_count(cache), 0);
    assert_false(has(cache, "a"));
    put(cache, "a", NOW_S + LIFE_S);
    assert_true(has(cache, "a"));
    assert_int_equal(cache_count(cache), 1);
}

struct seen {
    size_t n;
    int64_t sum_s;
};

static void see(void *context, const struct cache_key *key, const struct keystay_token *token)
{
    struct seen *seen = context;

    assert_slice(cache_key_part(key, 0), keystay_token_value(token));
    seen->n++;
    seen->sum_s += token->expires_at_s;
}

TEST(each_token_is_shown_once)
{
    CLEANUP(cache_freep) struct cache *cache = NULL;
    struct seen seen = { 0 };

    assert_ok(cache_new(&cache, NULL));
    cache_walk(cache, see, &seen);
    assert_int_equal(seen.n, 0);
    put(cache, "a", 1);
    put(cache, "b", 20);
    put(cache, "b", 30);
    cache_walk(cache, see, &seen);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.sum_s, 31);
}

TEST(a_key_is_taken_apart_as_it_was_made)
{
    const char *const parts[] = { "", NULL, "3:abc,-,", NULL, "a part of more than nine bytes", "x" };
    CLEANUP(cache_key_clear) struct cache_key key = { 0 };

    assert_ok(cache_key_make(NULL, parts, ARRAY_LEN(parts), &key, NULL));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const struct slice part = cache_key_part(&key, i);

        if (parts[i] == NULL) {
            assert_null(part.data);
            assert_int_equal(part.len, 0);
        } else {
            assert_non_null(part.data);
            assert_slice(part, parts[i]);
        }
    }
    assert_null(cache_key_part(&key, ARRAY_LEN(parts)).data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(keys_differ_when_any_part_does),
        cmocka_unit_test(a_key_grows_from_another),
        cmocka_unit_test(a_profile_has_a_key_of_its_own),
        cmocka_unit_test(what_was_put_is_found_and_nothing_else),
        cmocka_unit_test(a_token_that_is_found_outlives_the_cache),
        cmocka_unit_test(one_caller_is_told_that_it_is_due),
        cmocka_unit_test(what_is_due_is_taken_if_it_was_used),
        cmocka_unit_test(what_is_not_replaced_is_due_again_later_and_later_until_it_ends),
        cmocka_unit_test(no_more_are_taken_than_there_is_room_for),
        cmocka_unit_test(thousands_are_all_found),
        cmocka_unit_test(a_full_cache_forgets_what_has_ended),
        cmocka_unit_test(a_full_cache_forgets_what_ends_first),
        cmocka_unit_test(what_has_ended_does_not_pile_up),
        cmocka_unit_test(what_makes_another_token_makes_another_key),
        cmocka_unit_test(a_cache_that_was_cleared_is_empty_and_goes_on),
        cmocka_unit_test(each_token_is_shown_once),
        cmocka_unit_test(a_key_is_taken_apart_as_it_was_made),
    };

    return RUN_TESTS(tests);
}
