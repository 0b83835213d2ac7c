/* SPDX-License-Identifier: Apache-2.0 */
/* Who was given what, told once and counted afterwards. */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>

#include "agent/handouts.h"
#include "base/clock.h"
#include "base/str.h"

enum { MINUTE_MS = 60000, THREADS = 4, EACH = 5000 };

/* A log that keeps its last line. */
struct heard {
    char text[512];
    char all[4096];
    unsigned int n;
};

static struct heard heard;

static void hear(void *context, enum keystay_log_level level, const char *text)
{
    const size_t len = strlen(heard.all);

    (void)context;
    (void)level;
    heard.n++;
    (void)snprintf(heard.text, sizeof(heard.text), "%s", text);
    (void)snprintf(heard.all + len, sizeof(heard.all) - len, "%s\n", text);
}

static const struct keystay_log log_ = { hear, NULL };

static struct handouts *begin(void)
{
    struct handouts *handouts = NULL;

    heard = (struct heard){ .n = 0 };
    assert_ok(handouts_new(&log_, &handouts, NULL));
    return handouts;
}

static void count(
    struct handouts *handouts, uid_t uid, const char *unit, const char *profile, const char *scope)
{
    struct peer peer = { .uid = uid };
    const struct handout handout = { &peer, profile, scope, false };

    (void)snprintf(peer.unit, sizeof(peer.unit), "%s", unit);
    handouts_count(handouts, &handout);
}

TEST(freeing_nothing_is_fine)
{
    struct handouts *none = NULL;

    handouts_freep(&none);
}

TEST(the_first_is_told_and_the_others_are_counted)
{
    CLEANUP(handouts_freep) struct handouts *handouts = begin();

    for (int i = 0; i < 100; i++) {
        count(handouts, 33, "nginx.service", "backup", NULL);
    }
    assert_int_equal(heard.n, 1);
    assert_string_equal(
        heard.text, "profile backup: tokens for user 33, unit nginx.service, its own scope: the first");
    handouts_tick(handouts, 1000);
    assert_int_equal(heard.n, 1);
    handouts_tick(handouts, 1000 + MINUTE_MS);
    assert_string_equal(
        heard.text,
        "profile backup: tokens for user 33, unit nginx.service, its own scope: 99 more within a minute");
    handouts_tick(handouts, 1000 + 2 * MINUTE_MS);
    assert_int_equal(heard.n, 2);
    assert_int_equal(handouts_known(handouts), 1);
}

TEST(whatever_differs_is_another_one)
{
    static const struct {
        uid_t uid;
        const char *unit;
        const char *profile;
        const char *scope;
    } rows[] = {
        { 1, "", "a", NULL },       { 2, "", "a", NULL }, { 1, "b.service", "a", NULL },
        { 1, "", "b", NULL },       { 1, "", "a", "" },   { 1, "", "a", "x" },
        { 1, "", "a", "x y" },      { 1, "a", "", "x" },  { 1, "", "ab", "c" },
        { 1, "", "a", "bc" },       { 1, "ab", "c", "" }, { 1, "", "12345678", "9" },
        { 1, "", "1", "23456789" },
    };
    CLEANUP(handouts_freep) struct handouts *handouts = begin();
    const struct peer peer = { .uid = 1 };
    const struct handout assertion = { &peer, "a", NULL, true };

    for (int again = 0; again < 2; again++) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            count(handouts, rows[i].uid, rows[i].unit, rows[i].profile, rows[i].scope);
        }
        handouts_count(handouts, &assertion);
    }
    assert_int_equal(handouts_known(handouts), ARRAY_LEN(rows) + 1);
    assert_int_equal(heard.n, ARRAY_LEN(rows) + 1);
    assert_contains(heard.text, "assertions for user 1");
}

struct seen {
    unsigned long n;
    unsigned long times; /* of the one that was looked for */
    int64_t last_s;
    const char *scope;
    char scope_shown[2 * HANDOUTS_SCOPE_SHOWN_MAX];
};

static void see(void *context, const struct handouts_entry *entry)
{
    struct seen *seen = context;

    seen->n++;
    if (entry->uid == 33 && str_equal(entry->unit, "nginx.service") && str_equal(entry->profile, "backup") &&
        entry->is_assertion == false) {
        seen->times = entry->n;
        seen->last_s = entry->last_s;
        seen->scope = entry->scope;
        (void)snprintf(
            seen->scope_shown, sizeof(seen->scope_shown), "%s", entry->scope == NULL ? "" : entry->scope);
    }
}

TEST(each_is_shown_with_all_its_times_whatever_was_told)
{
    CLEANUP(handouts_freep) struct handouts *handouts = begin();
    struct seen seen = { .n = 0 };

    handouts_walk(handouts, see, &seen);
    assert_int_equal(seen.n, 0);
    for (int i = 0; i < 3; i++) {
        count(handouts, 33, "nginx.service", "backup", NULL);
        handouts_tick(handouts, 1 + (int64_t)i * MINUTE_MS);
        count(handouts, 33, "", "backup", NULL);
    }
    handouts_walk(handouts, see, &seen);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.times, 3);
    assert_null(seen.scope);
    assert_in_range(clock_now_s() - seen.last_s, 0, 5);
}

TEST(of_a_long_scope_the_beginning_is_shown)
{
    CLEANUP(handouts_freep) struct handouts *handouts = begin();
    char scope[4 * HANDOUTS_SCOPE_SHOWN_MAX] = "";
    struct seen seen = { .n = 0 };

    memset(scope, 'x', sizeof(scope) - 1);
    count(handouts, 33, "nginx.service", "backup", scope);
    handouts_walk(handouts, see, &seen);
    assert_int_equal(strlen(seen.scope_shown), HANDOUTS_SCOPE_SHOWN_MAX);
}

TEST(what_is_left_is_told_at_the_end)
{
    struct handouts *handouts = begin();

    count(handouts, 1, "", "a", "x");
    count(handouts, 1, "", "a", "x");
    handouts_freep(&handouts);
    assert_string_equal(heard.text, "profile a: tokens for user 1, scope x: 1 more within a minute");
}

TEST(of_too_many_only_the_number_is_told)
{
    CLEANUP(handouts_freep) struct handouts *handouts = begin();
    char scope[32];

    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < HANDOUTS_MAX + 500; i++) {
            (void)snprintf(scope, sizeof(scope), "api://%d/.default", i);
            count(handouts, (uid_t)i, "", "a", scope);
        }
    }
    assert_int_equal(handouts_known(handouts), HANDOUTS_MAX);
    assert_int_equal(heard.n, HANDOUTS_MAX);
    handouts_tick(handouts, 1);
    handouts_tick(handouts, 1 + MINUTE_MS);
    assert_int_equal(heard.n, 2 * HANDOUTS_MAX + 1);
    assert_string_equal(heard.text, "1000 more within a minute to callers too many to tell apart");
}

/* "a", "a a", "a a a": one scope that is granted, and there is no end of its names. */
TEST(one_user_does_not_hide_the_others)
{
    CLEANUP(handouts_freep) struct handouts *handouts = begin();
    char scope[32];

    for (int i = 0; i < HANDOUTS_MAX + 500; i++) {
        (void)snprintf(scope, sizeof(scope), "api://%d/.default", i);
        count(handouts, 1, "", "a", scope);
    }
    assert_string_equal(heard.text, "profile a: tokens for user 1, scope (others): the first");
    assert_int_equal(handouts_known(handouts), HANDOUTS_OF_ONE_USER_MAX + 1);
    count(handouts, 2, "", "a", NULL);
    assert_string_equal(heard.text, "profile a: tokens for user 2, its own scope: the first");
}

static void *count_many(void *context)
{
    char scope[16];

    for (int i = 0; i < EACH; i++) {
        (void)snprintf(scope, sizeof(scope), "s%d", i % 16);
        count(context, 1, "", "a", scope);
    }
    return NULL;
}

TEST(threads_lose_nothing)
{
    struct handouts *handouts = begin();
    pthread_t threads[THREADS];
    unsigned long total = 0;

    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, handouts), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(handouts_known(handouts), 16);
    heard.all[0] = '\0';
    handouts_freep(&handouts);
    for (const char *at = heard.all; (at = strstr(at, ": ")) != NULL; at += 2) {
        unsigned long n = 0;
        total += sscanf(at, ": %lu more", &n) == 1 ? n : 0;
    }
    assert_int_equal(total, THREADS * EACH - 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(the_first_is_told_and_the_others_are_counted),
        cmocka_unit_test(whatever_differs_is_another_one),
        cmocka_unit_test(each_is_shown_with_all_its_times_whatever_was_told),
        cmocka_unit_test(of_a_long_scope_the_beginning_is_shown),
        cmocka_unit_test(what_is_left_is_told_at_the_end),
        cmocka_unit_test(of_too_many_only_the_number_is_told),
        cmocka_unit_test(one_user_does_not_hide_the_others),
        cmocka_unit_test(threads_lose_nothing),
    };

    return RUN_TESTS(tests);
}
