/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "peer/units.h"
#include "scratch.h"

#define SCRATCH CLEANUP(scratch_remove) struct scratch

static void make_folder(const struct scratch *root, const char *name)
{
    char path[SCRATCH_PATH_SIZE];

    assert_int_equal(mkdir(scratch_path(root, name, path), 0755), 0);
}

static void remove_folder(const struct scratch *root, const char *name)
{
    char path[SCRATCH_PATH_SIZE];

    assert_int_equal(rmdir(scratch_path(root, name, path)), 0);
}

/* As a folder lists it, which on layered file systems is not what stat says. */
static uint64_t number_of(const struct scratch *root, const char *name)
{
    DIR *folder = opendir(root->path);
    const struct dirent *entry;
    uint64_t number = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        number = str_equal(entry->d_name, name) ? entry->d_ino : number;
    }
    (void)closedir(folder);
    assert_true(number > 1);
    return number;
}

static void assert_unit(
    struct units *units, const struct scratch *root, uint64_t id, int64_t now_ms, const char *expected)
{
    char unit[UNIT_SIZE] = "before";

    units_find(units, root->path, id, now_ms, unit);
    assert_string_equal(unit, expected);
}

TEST(what_was_found_is_remembered)
{
    struct units units = UNITS;
    SCRATCH root = scratch_new();

    make_folder(&root, "a.service");
    make_folder(&root, "b.service");
    const uint64_t a = number_of(&root, "a.service");
    const uint64_t b = number_of(&root, "b.service");
    assert_unit(&units, &root, a, 0, "a.service");
    remove_folder(&root, "a.service"); /* whoever connected before it ended may still ask */
    remove_folder(&root, "b.service");
    assert_unit(&units, &root, a, INT64_MAX - 1, "a.service");
    assert_unit(&units, &root, b, 0, ""); /* that one had not been asked for */
}

TEST(a_unit_that_is_started_again_is_found_by_its_new_number)
{
    struct units units = UNITS;
    SCRATCH root = scratch_new();

    make_folder(&root, "a.service");
    assert_unit(&units, &root, number_of(&root, "a.service"), 0, "a.service");
    make_folder(&root, "b.service"); /* the first number is still in use, so this is another one */
    assert_unit(&units, &root, number_of(&root, "b.service"), 0, "b.service");
    assert_unit(&units, &root, number_of(&root, "a.service"), 0, "a.service");
}

TEST(what_was_not_found_is_looked_for_again_after_a_time)
{
    struct units units = UNITS;
    SCRATCH elsewhere = scratch_new();
    SCRATCH root = scratch_new();
    char from[SCRATCH_PATH_SIZE];
    char to[SCRATCH_PATH_SIZE];

    make_folder(&elsewhere, "a.service");
    const uint64_t a = number_of(&elsewhere, "a.service");
    assert_unit(&units, &root, a, 1000, "");
    (void)scratch_path(&elsewhere, "a.service", from);
    assert_int_equal(rename(from, scratch_path(&root, "a.service", to)), 0);
    assert_unit(&units, &root, a, 1000 + UNITS_MISSED_MS - 1, "");
    assert_unit(&units, &root, a, 1000 + UNITS_MISSED_MS, "a.service");
    remove_folder(&root, "a.service");
    assert_unit(&units, &root, a, 1000 + UNITS_MISSED_MS, "a.service");
}

TEST(of_too_many_the_first_is_forgotten)
{
    struct units units = UNITS;
    SCRATCH root = scratch_new();

    make_folder(&root, "a.service");
    const uint64_t a = number_of(&root, "a.service");
    assert_unit(&units, &root, a, 0, "a.service");
    for (uint64_t i = 1; i < UNITS_MAX; i++) {
        assert_unit(&units, &root, UINT64_MAX - i, 0, "");
        assert_unit(&units, &root, UINT64_MAX - 1, UNITS_MISSED_MS, ""); /* takes no second place */
    }
    remove_folder(&root, "a.service");
    assert_unit(&units, &root, a, 0, "a.service");
    assert_unit(&units, &root, UINT64_MAX - UNITS_MAX, 0, "");
    assert_unit(&units, &root, a, 0, "");
}

/* A table with nothing in it is full of zeros. */
TEST(no_number_is_no_unit)
{
    struct units units = UNITS;
    SCRATCH root = scratch_new();

    assert_unit(&units, &root, 0, 0, "");
    assert_unit(&units, &root, 0, INT64_MIN, "");
    assert_unit(&units, &root, 1, 0, "");
}

static void *ask_often(void *context)
{
    struct units *units = context;
    static const struct scratch nowhere = { "/nonexistent" };

    for (uint64_t i = 0; i < 2000; i++) {
        char unit[UNIT_SIZE] = "before";

        units_find(units, nowhere.path, i % (2 * UNITS_MAX), 0, unit);
        if (unit[0] != '\0') {
            return units;
        }
    }
    return NULL;
}

TEST(several_threads_may_ask_at_once)
{
    struct units units = UNITS;
    pthread_t threads[4];

    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &units), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *odd = NULL;

        assert_int_equal(pthread_join(threads[i], &odd), 0);
        assert_null(odd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_number_is_no_unit),
        cmocka_unit_test(what_was_found_is_remembered),
        cmocka_unit_test(a_unit_that_is_started_again_is_found_by_its_new_number),
        cmocka_unit_test(what_was_not_found_is_looked_for_again_after_a_time),
        cmocka_unit_test(of_too_many_the_first_is_forgotten),
        cmocka_unit_test(several_threads_may_ask_at_once),
    };

    return RUN_TESTS(tests);
}
