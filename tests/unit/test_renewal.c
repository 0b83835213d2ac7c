/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate that ends soon is warned about, once a day. */
#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/renewal.h"
#include "rsa.h"

enum { DAY_S = 24 * 60 * 60, HALF_S = DAY_S / 2 };

/* The certificate of the tests ends half a day after CERT_NOW_S. */
static int64_t before_its_end(int64_t seconds)
{
    return CERT_NOW_S + HALF_S - seconds;
}

/* How often it warns at these times, one after the other. */
static int warnings_at(
    const struct certificate *certificate, const char *state_dir, const int64_t *times, size_t n)
{
    struct ear ear;

    ear_init(&ear);
    for (size_t i = 0; i < n; i++) {
        renewal_warn(certificate, state_dir, times[i], &ear.log);
    }
    return ear.n_warnings;
}

/* The one file in the folder. */
static void find_stamp(const struct scratch *folder, char ret_path[SCRATCH_PATH_SIZE])
{
    DIR *dir = opendir(folder->path);
    int n = 0;

    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] != '.') {
            (void)scratch_path(folder, entry->d_name, ret_path);
            n++;
        }
    }
    (void)closedir(dir);
    assert_int_equal(n, 1);
}

TEST(it_says_which_and_when)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&(struct cert_spec){ 0 });
    struct ear ear;

    ear_init(&ear);
    renewal_warn(certificate, folder.path, before_its_end(12 * DAY_S), &ear.log);
    assert_int_equal(ear.n_warnings, 1);
    assert_contains(ear.last, "'CN=unit test' ends in 12 days, at 2023-11-15T10:13:20Z");
    renewal_warn(certificate, folder.path, before_its_end(12 * DAY_S), NULL);
}

TEST(from_thirty_days_before_its_end)
{
    static const struct {
        int64_t before_s;
        int n;
    } rows[] = { { 365 * DAY_S, 0 }, { 30 * DAY_S + 1, 0 }, { 30 * DAY_S, 1 }, { 1, 1 } };
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&(struct cert_spec){ 0 });

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(scratch_remove) struct scratch folder = scratch_new();
        const int64_t time = before_its_end(rows[i].before_s);

        assert_int_equal(warnings_at(certificate, folder.path, &time, 1), rows[i].n);
    }
}

TEST(once_a_day)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&(struct cert_spec){ 0 });
    const int64_t first = before_its_end(9 * DAY_S);
    const int64_t within[] = { first, first, first + DAY_S - 1 };
    const int64_t after[] = { first + DAY_S, first + DAY_S + 1, first + 2 * DAY_S };

    assert_int_equal(warnings_at(certificate, folder.path, within, ARRAY_LEN(within)), 1);
    assert_int_equal(warnings_at(certificate, folder.path, after, ARRAY_LEN(after)), 2);
}

TEST(each_certificate_has_its_own_day)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    CLEANUP(certificate_freep) struct certificate *one = cert_new(&(struct cert_spec){ 0 });
    CLEANUP(certificate_freep)
    struct certificate *other = cert_new(&(struct cert_spec){ .subject_cn = "other" });
    const int64_t time = before_its_end(DAY_S);

    assert_int_equal(warnings_at(one, folder.path, &time, 1), 1);
    assert_int_equal(warnings_at(other, folder.path, &time, 1), 1);
    assert_int_equal(warnings_at(one, folder.path, &time, 1), 0);
}

TEST(a_folder_that_is_missing_is_made)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&(struct cert_spec){ 0 });
    const int64_t times[] = { before_its_end(DAY_S), before_its_end(DAY_S) };
    char path[SCRATCH_PATH_SIZE];

    (void)scratch_path(&folder, "state", path);
    assert_int_equal(warnings_at(certificate, path, times, ARRAY_LEN(times)), 1);
}

TEST(without_a_folder_each_time)
{
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&(struct cert_spec){ 0 });
    const int64_t times[] = { before_its_end(DAY_S), before_its_end(DAY_S) };

    assert_int_equal(warnings_at(certificate, "/dev/null/x", times, ARRAY_LEN(times)), 2);
}

TEST(a_clock_that_was_wrong_silences_nothing)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&(struct cert_spec){ 0 });
    const int64_t times[] = { before_its_end(DAY_S), before_its_end(20 * DAY_S), before_its_end(20 * DAY_S) };

    assert_int_equal(warnings_at(certificate, folder.path, times, ARRAY_LEN(times)), 2);
}

/* A link would have the time of another file changed. */
TEST(a_stamp_that_is_a_link_is_not_followed)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    CLEANUP(scratch_remove) struct scratch elsewhere = scratch_new();
    CLEANUP(certificate_freep) struct certificate *certificate = cert_new(&(struct cert_spec){ 0 });
    const int64_t time = before_its_end(DAY_S);
    char stamp[SCRATCH_PATH_SIZE], target[SCRATCH_PATH_SIZE];
    struct stat before, after;

    assert_int_equal(warnings_at(certificate, folder.path, &time, 1), 1);
    find_stamp(&folder, stamp);
    assert_int_equal(unlink(stamp), 0);
    scratch_put(&elsewhere, "target", SLICE("theirs"), 0600);
    assert_int_equal(symlink(scratch_path(&elsewhere, "target", target), stamp), 0);
    assert_int_equal(stat(target, &before), 0);
    assert_int_equal(warnings_at(certificate, folder.path, &time, 1), 1);
    assert_int_equal(stat(target, &after), 0);
    assert_int_equal(before.st_mtime, after.st_mtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_which_and_when),
        cmocka_unit_test(from_thirty_days_before_its_end),
        cmocka_unit_test(once_a_day),
        cmocka_unit_test(each_certificate_has_its_own_day),
        cmocka_unit_test(a_folder_that_is_missing_is_made),
        cmocka_unit_test(without_a_folder_each_time),
        cmocka_unit_test(a_clock_that_was_wrong_silences_nothing),
        cmocka_unit_test(a_stamp_that_is_a_link_is_not_followed),
    };

    return RUN_TESTS(tests);
}
