/* SPDX-License-Identifier: Apache-2.0 */
/* Records, and the files that they are in. End-to-end tests spoil those files; here is what no process shows.
 */
#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "core/cache_disk.h"
#include "scratch.h"

enum { NOW_S = 1700000000, LEAD_S = 1600000000 };

static const struct clock_moment now = { NOW_S, LEAD_S };

/* A runtime folder on a tmpfs, and the cache in it. */
struct place {
    char path[40];
    struct kept_env env;
    struct ear ear;
    struct cache_disk *disk;
    struct cache_key key;
};

static void place_init(struct place *place)
{
    const char *const parts[] = { "entra", "a" };

    *place = (struct place){ .path = "/dev/shm/keystay-unit-XXXXXX" };
    assert_non_null(mkdtemp(place->path));
    place->env = env_set("XDG_RUNTIME_DIR", place->path);
    ear_init(&place->ear);
    assert_ok(cache_disk_open(&place->ear.log, &place->disk, NULL));
    assert_non_null(place->disk);
    assert_ok(cache_key_make(NULL, parts, 2, &place->key, NULL));
}

static void place_clear(struct place *place)
{
    struct scratch folder;

    cache_disk_freep(&place->disk);
    cache_key_clear(&place->key);
    env_restore(&place->env);
    (void)snprintf(folder.path, sizeof(folder.path), "%s", place->path);
    scratch_remove(&folder);
}

static struct cache_record record_of(const char *value)
{
    struct cache_record record = { 0 };

    assert_ok(token_new(&record.token, NULL));
    assert_ok(secret_set(&record.token->value, slice_of_str(value), NULL));
    record.token->obtained_at_s = NOW_S;
    record.token->expires_at_s = NOW_S + 3600;
    record.token->refresh_at_s = NOW_S + 1800;
    record.token->ext_expires_at_s = NOW_S + 7200;
    record.token->lead_s = LEAD_S;
    return record;
}

static void put(struct place *place, const char *value)
{
    CLEANUP(cache_record_clear) struct cache_record record = record_of(value);
    CLEANUP(file_closep) int lock_fd = -1;

    assert_true(cache_disk_try_lock(place->disk, &place->key, &lock_fd));
    assert_true(lock_fd >= 0);
    cache_disk_put(place->disk, &place->key, &record);
}

static int n_files(const struct place *place)
{
    char path[64];
    int n = 0;

    (void)snprintf(path, sizeof(path), "%s/keystay", place->path);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        n++;
    }
    (void)closedir(dir);
    return n - 2; /* "." and ".." */
}

TEST(freeing_nothing_is_fine)
{
    struct cache_disk *disk = NULL;
    struct cache_record record = { 0 };

    cache_disk_freep(&disk);
    cache_record_clear(&record);
}

TEST(a_record_is_read_as_it_was_written)
{
    CLEANUP(place_clear) struct place place;
    CLEANUP(cache_record_clear) struct cache_record found = { 0 };

    place_init(&place);
    assert_false(cache_disk_find(place.disk, &place.key, now, &found));
    put(&place, "eyJ.a.b");
    assert_true(cache_disk_find(place.disk, &place.key, now, &found));
    assert_string_equal(keystay_token_value(found.token), "eyJ.a.b");
    assert_int_equal(found.token->obtained_at_s, NOW_S);
    assert_int_equal(found.token->expires_at_s, NOW_S + 3600);
    assert_int_equal(found.token->refresh_at_s, NOW_S + 1800);
    assert_int_equal(found.token->ext_expires_at_s, NOW_S + 7200);
    assert_int_equal(found.token->lead_s, LEAD_S);
    assert_int_equal(place.ear.n_warnings, 0);
}

TEST(a_wish_to_be_left_alone_is_a_record_too)
{
    CLEANUP(place_clear) struct place place;
    CLEANUP(cache_record_clear) struct cache_record found = { 0 };
    const struct cache_record wish = { .wait_until_s = NOW_S + 60, .lead_s = LEAD_S };
    const struct clock_moment set_back = { NOW_S - 86400, LEAD_S - 86400 };
    const struct clock_moment too_early = { NOW_S - 86400, LEAD_S };

    place_init(&place);
    cache_disk_put(place.disk, &place.key, &wish);
    assert_true(cache_disk_find(place.disk, &place.key, now, &found));
    assert_null(found.token);
    assert_int_equal(found.wait_until_s, NOW_S + 60);
    assert_true(cache_disk_find(place.disk, &place.key, set_back, &found));
    assert_int_equal(found.lead_s, LEAD_S);
    assert_false(cache_disk_find(place.disk, &place.key, too_early, &found));
    assert_contains(place.ear.last, "make no sense");
}

/* That it was got after what the clock shows now does not tell: it may be older than the step. */
TEST(a_token_of_before_the_clock_was_set_back_is_not_used)
{
    CLEANUP(place_clear) struct place place;
    CLEANUP(cache_record_clear) struct cache_record found = { 0 };
    const struct clock_moment a_bit = { NOW_S + 600 - 60, LEAD_S - 60 };
    const struct clock_moment set_back = { NOW_S + 600 - 61, LEAD_S - 61 };
    const struct clock_moment set_forward = { NOW_S + 86400, LEAD_S + 86400 };

    place_init(&place);
    put(&place, "eyJ.a.b");
    assert_true(cache_disk_find(place.disk, &place.key, a_bit, &found));
    cache_record_clear(&found);
    assert_true(cache_disk_find(
        place.disk, &place.key, set_forward, &found)); /* whether it lives is seen elsewhere */
    cache_record_clear(&found);
    assert_false(cache_disk_find(place.disk, &place.key, set_back, &found));
    assert_contains(place.ear.last, "ahead of today's");
}

/* Two keys of one hash would lie in one file: the text decides. */
TEST(a_key_that_shares_a_hash_gets_no_token_of_the_other)
{
    CLEANUP(place_clear) struct place place;
    CLEANUP(cache_key_clear) struct cache_key other = { 0 };
    CLEANUP(cache_record_clear) struct cache_record found = { 0 };
    const char *const parts[] = { "entra", "b" };

    place_init(&place);
    put(&place, "eyJ.a.b");
    assert_ok(cache_key_make(NULL, parts, 2, &other, NULL));
    other.hash = place.key.hash;
    assert_false(cache_disk_find(place.disk, &other, now, &found));
    assert_contains(place.ear.last, "another request");
    assert_null(found.token);
}

TEST(one_holder_at_a_time)
{
    CLEANUP(place_clear) struct place place;
    CLEANUP(file_closep) int first = -1;
    CLEANUP(file_closep) int second = -1;

    place_init(&place);
    assert_true(cache_disk_try_lock(place.disk, &place.key, &first));
    assert_true(first >= 0);
    assert_false(cache_disk_try_lock(place.disk, &place.key, &second));
    file_closep(&first);
    assert_true(cache_disk_try_lock(place.disk, &place.key, &second));
    assert_true(second >= 0);
}

TEST(a_lock_that_cannot_be_had_stops_nobody)
{
    CLEANUP(place_clear) struct place place;
    CLEANUP(file_closep) int lock_fd = 5;
    char path[96];

    place_init(&place);
    (void)snprintf(
        path, sizeof(path), "%s/keystay/%016llx.lock", place.path, (unsigned long long)place.key.hash);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(cache_disk_try_lock(place.disk, &place.key, &lock_fd));
    assert_int_equal(lock_fd, -1);
    assert_contains(place.ear.last, "cannot be locked");
}

/* What a killed process was writing is in the way of nobody, and goes with the rest. */
TEST(leftovers_are_overwritten_and_cleared)
{
    CLEANUP(place_clear) struct place place;
    CLEANUP(cache_record_clear) struct cache_record found = { 0 };
    char path[96];
    size_t n = 9;

    place_init(&place);
    (void)snprintf(
        path, sizeof(path), "%s/keystay/%016llx.new", place.path, (unsigned long long)place.key.hash);
    assert_int_equal(symlink("/nonexistent/elsewhere", path), 0);
    put(&place, "eyJ.a.b");
    assert_true(cache_disk_find(place.disk, &place.key, now, &found));
    assert_int_equal(symlink("/nonexistent/elsewhere", path), 0);
    assert_ok(cache_disk_clear(place.disk, NULL, &n, NULL));
    assert_int_equal(n, 1);
    assert_int_equal(n_files(&place), 0);
}

TEST(what_is_not_ours_is_left_alone)
{
    CLEANUP(place_clear) struct place place;
    char path[96];
    size_t n = 9;

    place_init(&place);
    (void)snprintf(path, sizeof(path), "%s/keystay/notes.token", place.path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_ok(cache_disk_clear(place.disk, NULL, &n, NULL));
    assert_int_equal(n, 0);
    assert_int_equal(n_files(&place), 1);
}

TEST(a_lock_that_is_held_is_not_cleared_away)
{
    CLEANUP(place_clear) struct place place;
    CLEANUP(file_closep) int lock_fd = -1;
    CLEANUP(file_closep) int other_fd = -1;
    size_t n = 9;

    place_init(&place);
    assert_true(cache_disk_try_lock(place.disk, &place.key, &lock_fd));
    assert_ok(cache_disk_clear(place.disk, NULL, &n, NULL));
    assert_false(cache_disk_try_lock(place.disk, &place.key, &other_fd));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(a_record_is_read_as_it_was_written),
        cmocka_unit_test(a_wish_to_be_left_alone_is_a_record_too),
        cmocka_unit_test(a_token_of_before_the_clock_was_set_back_is_not_used),
        cmocka_unit_test(a_key_that_shares_a_hash_gets_no_token_of_the_other),
        cmocka_unit_test(one_holder_at_a_time),
        cmocka_unit_test(a_lock_that_cannot_be_had_stops_nobody),
        cmocka_unit_test(leftovers_are_overwritten_and_cleared),
        cmocka_unit_test(what_is_not_ours_is_left_alone),
        cmocka_unit_test(a_lock_that_is_held_is_not_cleared_away),
    };

    return RUN_TESTS(tests);
}
