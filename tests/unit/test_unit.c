/* SPDX-License-Identifier: Apache-2.0 */
/* Which unit a control group belongs to; the tree of groups is one of folders. */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "peer/unit.h"
#include "scratch.h"

#define SCRATCH CLEANUP(scratch_remove) struct scratch
#define OF_255                                                                                   \
    "a123456789b123456789c123456789d123456789e123456789f123456789g123456789h123456789i123456789" \
    "j123456789k123456789l123456789m123456789n123456789o123456789p123456789q123456789r123456789" \
    "s123456789t123456789u123456789v123456789w123456789x123456789y123456.service"

struct row {
    const char *from, *unit;
};

static void check_paths(const struct row *rows, size_t n_rows)
{
    for (size_t i = 0; i < n_rows; i++) {
        char unit[UNIT_SIZE] = "before";

        unit_of_cgroup(rows[i].from, unit);
        if (!str_equal(unit, rows[i].unit)) {
            fail_msg("row '%s': '%s' is not '%s'", rows[i].from, unit, rows[i].unit);
        }
    }
}

TEST(the_first_group_that_is_no_slice_is_the_unit)
{
    static const struct row rows[] = {
        { "/system.slice/nginx.service", "nginx.service" },
        { "system.slice/nginx.service", "nginx.service" },
        { "/init.scope", "init.scope" },
        { "/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service" },
        { "/system.slice/docker-0123abcd.scope", "docker-0123abcd.scope" },
        { "/system.slice/dev-disk-by\\x2duuid.swap", "dev-disk-by\\x2duuid.swap" },
        { "/system.slice/sshd.socket", "sshd.socket" },
        { "/system.slice/var-lib.mount", "var-lib.mount" },
        { "/user.slice/user-1000.slice/session-2.scope", "session-2.scope" },
        { "/system.slice/_cpu.service", "cpu.service" },
        { "/_x.slice/a.service", "a.service" },
        { "/a@b@c.service", "a@b@c.service" },
        { "/a@b@.service", "a@b@.service" },
    };

    check_paths(rows, ARRAY_LEN(rows));
}

/* Whoever runs a unit may make groups below it, and name them as it likes. */
TEST(what_is_below_a_unit_does_not_count)
{
    static const struct row rows[] = {
        { "/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service", "user@1000.service" },
        { "/system.slice/a.service/system.slice/nginx.service", "a.service" },
        { "/lxc/a/system.slice/nginx.service", "" },
        { "/../system.slice/nginx.service", "" },
        { "/./system.slice/nginx.service", "" },
        { "/system.slice/../nginx.service", "" },
    };

    check_paths(rows, ARRAY_LEN(rows));
}

TEST(what_is_no_unit_is_none)
{
    static const struct row rows[] = {
        { "", "" },
        { "/", "" },
        { "///", "" },
        { "/system.slice", "" },
        { "/system.slice/", "" },
        { "/_", "" },
        { "/.service", "" },
        { "/.slice/a.service", "" },
        { "/@.service", "" },
        { "/@a.service", "" },
        { "/system.slice/a@.service", "" },
        { "/a@b.slice/a.service", "" },
        { "/a@.slice/a.service", "" },
        { "/system.slice/nginx.service (deleted)", "" },
        { "/system slice.slice/nginx.service", "" },
        { "/system.slice/nginx.target", "" },
        { "/system.slice/nginx.timer", "" },
        { "/system.slice/nginxservice", "" },
        { "/system.slice/n\303\244gel.service", "" },
        { "/system.slice/a\nb.service", "" },
        { "/system.slice/a*.service", "" },
    };

    check_paths(rows, ARRAY_LEN(rows));
}

TEST(a_name_may_have_255_bytes)
{
    static const struct row rows[] = {
        { "/system.slice/" OF_255, OF_255 },
        { "/system.slice/x" OF_255, "" },
    };

    assert_int_equal(strlen(OF_255), UNIT_SIZE - 1);
    check_paths(rows, ARRAY_LEN(rows));
}

TEST(a_process_names_its_group_in_one_line_of_several)
{
    static const struct {
        struct slice content;
        const char *unit;
    } rows[] = {
        { { (const uint8_t *)"0::/system.slice/a.service\n", 27 }, "a.service" },
        { { (const uint8_t *)"1:name=systemd:/b.service\n0::/a.service\n", 40 }, "a.service" },
        { { (const uint8_t *)"0::/a.service\n0::/b.service\n", 28 }, "a.service" },
        { { (const uint8_t *)"1:name=systemd:/b.service\n", 26 }, "" },
        { { (const uint8_t *)"10::/b.service\n", 15 }, "" },
        { { (const uint8_t *)"0::/\n", 5 }, "" },
        { { (const uint8_t *)"0::", 3 }, "" },
        { { (const uint8_t *)"\n\n", 2 }, "" },
        { { NULL, 0 }, "" },
        { { (const uint8_t *)"0::/a.service", 13 }, "" },           /* cut off: it may have gone on */
        { { (const uint8_t *)"0::/a.service\0.slice\n", 21 }, "" }, /* the kernel writes none */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char unit[UNIT_SIZE] = "before";

        unit_of_cgroup_file(rows[i].content, unit);
        assert_string_equal(unit, rows[i].unit);
    }
}

/* A path that was cut off could end at another name's end. */
TEST(a_path_that_is_too_long_is_none)
{
    char line[8192];
    char unit[UNIT_SIZE] = "before";
    int n = snprintf(line, sizeof(line), "0::/a.service/%0*d\n", 6000, 0);

    unit_of_cgroup_file((struct slice){ (const uint8_t *)line, (size_t)n }, unit);
    assert_string_equal(unit, "");
}

static void make_folders(const struct scratch *root, const char *path)
{
    char whole[SCRATCH_PATH_SIZE];
    size_t root_len = strlen(root->path);

    (void)scratch_path(root, path, whole);
    for (char *at = whole + root_len + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            assert_true(mkdir(whole, 0755) == 0 || errno == EEXIST);
            *at = '/';
        }
    }
    assert_true(mkdir(whole, 0755) == 0 || errno == EEXIST);
}

/* As a folder lists it, which on layered file systems is not what stat says. */
static uint64_t number_of(const struct scratch *root, const char *parent, const char *name)
{
    char path[SCRATCH_PATH_SIZE];
    DIR *folder = opendir(scratch_path(root, parent, path));
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

static void assert_unit_of_id(const struct scratch *root, uint64_t id, const char *expected)
{
    char unit[UNIT_SIZE] = "before";

    unit_of_cgroup_id(root->path, id, unit);
    assert_string_equal(unit, expected);
}

TEST(a_group_is_found_by_its_number)
{
    SCRATCH root = scratch_new();

    make_folders(&root, "system.slice/nginx.service");
    make_folders(&root, "system.slice/system-x.slice/x@1.service/inner/most");
    make_folders(&root, "init.scope");
    assert_unit_of_id(&root, number_of(&root, "", "init.scope"), "init.scope");
    assert_unit_of_id(&root, number_of(&root, "system.slice", "nginx.service"), "nginx.service");
    assert_unit_of_id(
        &root, number_of(&root, "system.slice/system-x.slice/x@1.service/inner", "most"), "x@1.service");
    assert_unit_of_id(&root, number_of(&root, "system.slice", "system-x.slice"), "");
}

TEST(a_number_that_is_no_groups_is_of_no_unit)
{
    SCRATCH root = scratch_new();
    char path[SCRATCH_PATH_SIZE];

    make_folders(&root, "a.service");
    scratch_put(&root, "b.service", SLICE(""), 0644);
    assert_int_equal(
        symlink(
            scratch_path(&root, "a.service", path),
            scratch_path(&root, "c.service", (char[SCRATCH_PATH_SIZE]){ 0 })),
        0);
    assert_unit_of_id(&root, 0, "");
    assert_unit_of_id(&root, 1, "");
    assert_unit_of_id(&root, UINT64_MAX, "");
    assert_unit_of_id(&root, number_of(&root, "", "b.service"), "");
    assert_unit_of_id(&root, number_of(&root, "", "c.service"), "");

    struct scratch nowhere = { "/nonexistent" };
    assert_unit_of_id(&nowhere, number_of(&root, "", "a.service"), "");
}

TEST(a_search_ends_at_its_depth)
{
    SCRATCH root = scratch_new();
    char path[SCRATCH_PATH_SIZE] = "a.service";

    for (int i = 0; i < 14; i++) {
        (void)snprintf(path + strlen(path), sizeof(path) - strlen(path), "/d");
    }
    make_folders(&root, path);
    (void)strncat(path, "/e", 3);
    make_folders(&root, path);
    path[strlen(path) - 2] = '\0';
    uint64_t deepest = number_of(&root, path, "e");
    assert_unit_of_id(&root, deepest, "a.service");
    (void)strncat(path, "/e/f", 5);
    make_folders(&root, path);
    path[strlen(path) - 2] = '\0';
    assert_unit_of_id(&root, number_of(&root, path, "f"), "");
}

/* A user who may make groups makes very many: what is nearer to the root is found all the same. */
TEST(a_flood_of_groups_hides_no_service)
{
    static const char flooded[] = "user.slice/user-1000.slice/user@1000.service";
    SCRATCH root = scratch_new();
    char name[SCRATCH_PATH_SIZE];
    char path[SCRATCH_PATH_SIZE];

    make_folders(&root, "system.slice/nginx.service");
    (void)snprintf(name, sizeof(name), "%s/0/1/2/3/4/5/6/7/8/9/a", flooded);
    make_folders(&root, name);
    (void)snprintf(path, sizeof(path), "%s/0/1/2/3/4/5/6/7/8/9", flooded);
    const uint64_t deep = number_of(&root, path, "a");
    assert_unit_of_id(&root, deep, "user@1000.service");

    /* Each of the levels below looks at all of them again. */
    for (int i = 1; i <= 1000; i++) {
        (void)snprintf(name, sizeof(name), "%s/x%d", flooded, i);
        assert_int_equal(mkdir(scratch_path(&root, name, path), 0755), 0);
    }
    assert_unit_of_id(&root, number_of(&root, "system.slice", "nginx.service"), "nginx.service");
    assert_unit_of_id(&root, deep, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_group_that_is_no_slice_is_the_unit),
        cmocka_unit_test(what_is_below_a_unit_does_not_count),
        cmocka_unit_test(what_is_no_unit_is_none),
        cmocka_unit_test(a_name_may_have_255_bytes),
        cmocka_unit_test(a_process_names_its_group_in_one_line_of_several),
        cmocka_unit_test(a_path_that_is_too_long_is_none),
        cmocka_unit_test(a_group_is_found_by_its_number),
        cmocka_unit_test(a_number_that_is_no_groups_is_of_no_unit),
        cmocka_unit_test(a_search_ends_at_its_depth),
        cmocka_unit_test(a_flood_of_groups_hides_no_service),
    };

    return RUN_TESTS(tests);
}
