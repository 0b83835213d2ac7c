/* SPDX-License-Identifier: Apache-2.0 */
/* What is read back of what was written: only what nobody else can have touched. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/shared_file.h"
#include "scratch.h"

enum { CONTENT_MAX = 64 };

static const char content[] = "a secret\n";
static const char longer[] = "one that comes after it\n";

struct place {
    struct scratch folder;
    char path[SCRATCH_PATH_SIZE];
    char other[SCRATCH_PATH_SIZE];
    struct shared_file file;
};

static void place_clear(struct place *place)
{
    shared_file_clear(&place->file);
    scratch_remove(&place->folder);
}

static struct place place_new(void)
{
    const struct grant grant = { .name = drop_const("web") };
    struct place place = { .folder = scratch_new() };

    (void)scratch_path(&place.folder, "web.env", place.path);
    (void)scratch_path(&place.folder, "other", place.other);
    assert_ok(shared_file_init(&place.file, place.path, &grant, NULL));
    assert_ok(shared_file_write(&place.file, slice_of_str(content), NULL));
    return place;
}

static bool is_read(const struct place *place)
{
    CLEANUP(buf_clear) struct buf found = BUF(CONTENT_MAX);
    CLEANUP(buf_clear) struct buf left = BUF(CONTENT_MAX);
    const bool is_so = shared_file_read(&place->file, &found);

    assert_int_equal(shared_file_read_left(place->path, &left), is_so);
    if (is_so) {
        assert_slice(buf_slice(&found), content);
        assert_slice(buf_slice(&left), content);
    }
    return is_so;
}

TEST(what_was_written_is_read)
{
    CLEANUP(place_clear) struct place place = place_new();

    assert_true(is_read(&place));
    shared_file_remove(&place.file);
    assert_false(is_read(&place));
}

TEST(no_other_mode)
{
    static const mode_t modes[] = { 0400, 0604, 0620, 0644, 0660, 0700, 04600, 02600, 01600 };
    CLEANUP(place_clear) struct place place = place_new();

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        assert_int_equal(chmod(place.path, modes[i]), 0);
        assert_false(is_read(&place));
    }
    assert_int_equal(chmod(place.path, 0600), 0);
    assert_true(is_read(&place));
}

TEST(not_with_the_right_of_a_group_that_the_grant_does_not_name)
{
    CLEANUP(place_clear) struct place place = place_new();
    CLEANUP(buf_clear) struct buf found = BUF(CONTENT_MAX);

    assert_int_equal(chmod(place.path, 0640), 0);
    assert_false(shared_file_read(&place.file, &found));
    place.file.has_group = true;
    place.file.group = getegid();
    buf_clear(&found);
    assert_true(shared_file_read(&place.file, &found));
    place.file.group = getegid() + 1;
    buf_clear(&found);
    assert_false(shared_file_read(&place.file, &found));
    assert_int_equal(chmod(place.path, 0600), 0);
    place.file.group = getegid();
    buf_clear(&found);
    assert_false(shared_file_read(&place.file, &found));
}

TEST(nothing_is_followed_or_waited_for)
{
    CLEANUP(place_clear) struct place place = place_new();

    assert_int_equal(link(place.path, place.other), 0);
    assert_false(is_read(&place));
    assert_int_equal(unlink(place.path), 0);
    assert_int_equal(symlink(place.other, place.path), 0);
    assert_false(is_read(&place));
    assert_int_equal(unlink(place.path), 0);
    assert_int_equal(mkfifo(place.path, 0600), 0);
    assert_false(is_read(&place));
    assert_int_equal(unlink(place.path), 0);
    assert_int_equal(mkdir(place.path, 0600), 0);
    assert_false(is_read(&place));
}

TEST(no_more_than_there_is_room_for)
{
    CLEANUP(place_clear) struct place place = place_new();
    char text[CONTENT_MAX + 2] = "";

    for (size_t i = 0; i <= CONTENT_MAX; i++) {
        text[i] = 'x';
    }
    assert_ok(shared_file_write(&place.file, slice_of_str(text), NULL));
    assert_false(is_read(&place));
}

static const struct place *watched; /* NULL: none */
static unsigned int n_renamed;

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

/* At this moment the one before is there still, and the next one is whole. */
int __wrap_rename(const char *from, const char *to)
{
    struct stat info;

    if (watched != NULL) {
        n_renamed++;
        assert_string_equal(to, watched->path);
        assert_string_not_equal(from, to);
        assert_true(is_read(watched));
        assert_int_equal(stat(from, &info), 0);
        assert_int_equal(info.st_size, sizeof(longer) - 1);
    }
    return __real_rename(from, to);
}

TEST(there_is_no_moment_without_one)
{
    CLEANUP(place_clear) struct place place = place_new();
    CLEANUP(buf_clear) struct buf found = BUF(CONTENT_MAX);

    watched = &place;
    n_renamed = 0;
    assert_ok(shared_file_write(&place.file, slice_of_str(longer), NULL));
    watched = NULL;
    assert_int_equal(n_renamed, 1);
    assert_true(shared_file_read(&place.file, &found));
    assert_slice(buf_slice(&found), longer);
}

/* By an agent that was killed; or by somebody who wants another file written. */
TEST(what_is_left_beside_it_is_replaced_and_not_written_to)
{
    CLEANUP(place_clear) struct place place = place_new();
    char fresh[SCRATCH_PATH_SIZE];
    struct stat info;

    (void)scratch_path(&place.folder, "web.env.new", fresh);
    assert_int_equal(link(place.path, place.other), 0);
    assert_int_equal(unlink(place.path), 0);
    assert_int_equal(symlink(place.other, fresh), 0);
    assert_ok(shared_file_write(&place.file, slice_of_str(content), NULL));
    assert_true(is_read(&place));
    assert_int_equal(lstat(fresh, &info), -1);
    assert_int_equal(unlink(place.path), 0);
    assert_int_equal(link(place.other, fresh), 0);
    assert_ok(shared_file_write(&place.file, slice_of_str(longer), NULL));
    assert_int_equal(stat(place.other, &info), 0);
    assert_int_equal(info.st_size, sizeof(content) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(no_other_mode),
        cmocka_unit_test(not_with_the_right_of_a_group_that_the_grant_does_not_name),
        cmocka_unit_test(nothing_is_followed_or_waited_for),
        cmocka_unit_test(no_more_than_there_is_room_for),
        cmocka_unit_test(there_is_no_moment_without_one),
        cmocka_unit_test(what_is_left_beside_it_is_replaced_and_not_written_to),
    };

    return RUN_TESTS(tests);
}
