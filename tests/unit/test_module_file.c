/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whoever can write to the module has the PIN. As root the tests give files away and look as nobody too; as
 * anybody else they can only play with modes.
 */
#include "unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkcs11/module_file.h"
#include "scratch.h"

enum { NOBODY = 65534 };

/* NULL, or the error's message. */
static const char *refusal(const char *path, struct keystay_error *err)
{
    CLEANUP(freep) char *real = NULL;
    enum keystay_status status = module_file_resolve(path, &real, err);

    if (status == KEYSTAY_OK) {
        return NULL;
    }
    assert_int_equal(status, KEYSTAY_E_MODULE_LOAD);
    assert_null(real);
    assert_true(err->hint[0] != '\0');
    return err->message;
}

static void make_folder(
    const struct scratch *folder, const char *name, mode_t mode, char path[SCRATCH_PATH_SIZE])
{
    (void)scratch_path(folder, name, path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, mode), 0);
}

TEST(a_name_without_a_path_is_not_searched_for)
{
    struct keystay_error err;

    assert_contains(refusal("libsofthsm2.so", &err), "full path");
    assert_contains(refusal("", &err), "full path");
}

TEST(what_is_no_file_is_named)
{
    struct keystay_error err;

    assert_contains(refusal("/nonexistent/module.so", &err), "/nonexistent/module.so");
    assert_contains(refusal("/tmp", &err), "not a file");
    assert_contains(refusal("/dev/null", &err), "not a file");
}

TEST(the_file_behind_all_links_is_given_back)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char file[SCRATCH_PATH_SIZE];
    char link[SCRATCH_PATH_SIZE];
    char detour[SCRATCH_PATH_SIZE + 16];
    struct keystay_error err;

    scratch_put(&folder, "module.so", SLICE("m"), 0644);
    (void)scratch_path(&folder, "module.so", file);
    assert_int_equal(symlink("module.so", scratch_path(&folder, "link.so", link)), 0);
    (void)snprintf(detour, sizeof(detour), "%s/./../%s/link.so", folder.path, folder.path + strlen("/tmp/"));
    CLEANUP(freep) char *expected = realpath(file, NULL);
    const char *const paths[] = { file, link, detour };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        CLEANUP(freep) char *real = NULL;

        assert_ok(module_file_resolve(paths[i], &real, &err));
        assert_string_equal(real, expected);
    }
}

TEST(others_must_not_be_able_to_write_to_it)
{
    static const struct {
        const char *name;
        mode_t mode;
        bool is_fine;
    } rows[] = {
        { "as libraries are", 0644, true },   { "executable", 0755, true },
        { "the owner's alone", 0400, true },  { "the world's", 0646, false },
        { "the world's alone", 0602, false }, { "sticky, which means nothing", 01646, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(scratch_remove) struct scratch folder = scratch_new();
        char path[SCRATCH_PATH_SIZE];
        struct keystay_error err;

        scratch_put(&folder, "module.so", SLICE("m"), 0644);
        assert_int_equal(chmod(scratch_path(&folder, "module.so", path), rows[i].mode), 0);
        const char *message = refusal(path, &err);
        assert_row((message == NULL) == rows[i].is_fine, rows[i].name);
        if (message != NULL) {
            assert_contains(message, "others can write");
            assert_contains(err.hint, "chmod go-w");
        }
    }
}

/* Of a folder it matters who can put another file in the module's place. */
TEST(others_must_not_be_able_to_replace_it)
{
    static const struct {
        const char *name;
        mode_t mode;
        bool is_fine;
    } rows[] = {
        { "closed", 0700, true },
        { "open to read", 0755, true },
        { "the world's", 0777, false },
        { "the world's, but sticky", 01777, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(scratch_remove) struct scratch folder = scratch_new();
        char upper[SCRATCH_PATH_SIZE];
        char inner[SCRATCH_PATH_SIZE];
        char path[SCRATCH_PATH_SIZE];
        struct keystay_error err;

        make_folder(&folder, "upper", rows[i].mode, upper);
        make_folder(&folder, "upper/inner", 0755, inner);
        scratch_put(&folder, "upper/inner/module.so", SLICE("m"), 0644);
        const char *message = refusal(scratch_path(&folder, "upper/inner/module.so", path), &err);
        assert_row((message == NULL) == rows[i].is_fine, rows[i].name);
        if (message != NULL) {
            assert_contains(message, "/upper'"); /* that folder, not the file */
        }
    }
}

/* A link that all may turn elsewhere is no matter: what counts is where it led when it was looked at. */
TEST(where_the_link_lies_is_no_matter)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char open_to_all[SCRATCH_PATH_SIZE];
    char file[SCRATCH_PATH_SIZE];
    char link[SCRATCH_PATH_SIZE];
    struct keystay_error err;

    make_folder(&folder, "open", 0777, open_to_all);
    scratch_put(&folder, "module.so", SLICE("m"), 0644);
    assert_int_equal(
        symlink(scratch_path(&folder, "module.so", file), scratch_path(&folder, "open/link.so", link)), 0);
    assert_null(refusal(link, &err));
}

static int look_as_nobody(void *path)
{
    struct keystay_error err;

    if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0) {
        return -1;
    }
    return refusal(path, &err) == NULL ? 0 : (strstr(err.message, "belongs to another user") != NULL ? 1 : 2);
}

/* What another user owns is his to change, whatever its mode says. Only root can give files away. */
TEST(a_file_of_another_user_is_refused)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    struct keystay_error err;

    scratch_put(&folder, "module.so", SLICE("m"), 0644);
    (void)scratch_path(&folder, "module.so", path);
    assert_int_equal(chmod(folder.path, 0755), 0);
    if (geteuid() != 0) {
        assert_null(refusal(path, &err));
        return;
    }
    assert_int_equal(in_child_without_terminal(look_as_nobody, path), 0); /* root's: everybody trusts it */
    assert_int_equal(chown(path, NOBODY, NOBODY), 0);
    assert_contains(refusal(path, &err), "belongs to another user (uid 65534)");
    assert_int_equal(in_child_without_terminal(look_as_nobody, path), 0); /* its own */
    assert_int_equal(chown(path, NOBODY - 1, 0), 0);
    assert_int_equal(in_child_without_terminal(look_as_nobody, path), 1);
    assert_int_equal(chown(path, 0, 0), 0);
    assert_int_equal(chown(folder.path, NOBODY - 1, 0), 0);
    assert_contains(refusal(path, &err), "belongs to another user");
    assert_int_equal(chown(folder.path, 0, 0), 0);
}

/* A group that one is in oneself, and root's, may write; another may not. */
TEST(a_group_of_others_must_not_write)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    struct keystay_error err;

    scratch_put(&folder, "module.so", SLICE("m"), 0644);
    assert_int_equal(chmod(scratch_path(&folder, "module.so", path), 0664), 0);
    assert_null(refusal(path, &err));
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 0, NOBODY), 0);
        assert_int_equal(chmod(path, 0664), 0);
        assert_contains(refusal(path, &err), "others can write");
        assert_int_equal(chmod(path, 0644), 0);
        assert_null(refusal(path, &err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_without_a_path_is_not_searched_for),
        cmocka_unit_test(what_is_no_file_is_named),
        cmocka_unit_test(the_file_behind_all_links_is_given_back),
        cmocka_unit_test(others_must_not_be_able_to_write_to_it),
        cmocka_unit_test(others_must_not_be_able_to_replace_it),
        cmocka_unit_test(where_the_link_lies_is_no_matter),
        cmocka_unit_test(a_file_of_another_user_is_refused),
        cmocka_unit_test(a_group_of_others_must_not_write),
    };

    return RUN_TESTS(tests);
}
