/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "http/trust.h"

/* A folder with at most one file in it. */
struct folder {
    char path[64];
    char file[160];
};

static void folder_remove(struct folder *folder)
{
    if (folder->file[0] != '\0') {
        (void)unlink(folder->file);
    }
    (void)rmdir(folder->path);
}

static struct folder folder_with(const char *name)
{
    struct folder folder = { .path = "/tmp/keystay-unit-XXXXXX" };

    assert_non_null(mkdtemp(folder.path));
    if (name != NULL) {
        (void)snprintf(folder.file, sizeof(folder.file), "%s/%s", folder.path, name);
        int fd = open(folder.file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
    }
    return folder;
}

TEST(what_is_no_folder_holds_nothing)
{
    CLEANUP(folder_remove) struct folder folder = folder_with("5ed36f99.0");

    assert_false(trust_is_hashed_directory(""));
    assert_false(trust_is_hashed_directory("/nonexistent"));
    assert_false(trust_is_hashed_directory(folder.file));
}

TEST(an_empty_folder_is_not_hashed)
{
    CLEANUP(folder_remove) struct folder folder = folder_with(NULL);

    assert_false(trust_is_hashed_directory(folder.path));
}

TEST(knows_a_hashed_name)
{
    static const struct {
        const char *name;
        bool is_hashed;
    } rows[] = {
        { "5ed36f99.0", true },   { "00000000.0", true },    { "ffffffff.12", true },
        { "5ed36f99.r0", false }, /* a revocation list */
        { "5ED36F99.0", false },  { "5ed36f9.0", false },    { "5ed36f990.0", false },
        { "5ed36f99.", false },   { "5ed36f99", false },     { "5ed36f99.0~", false },
        { "5ed36g99.0", false },  { "5ed36f99.pem", false }, { "ca-certificates.crt", false },
        { ".0", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(folder_remove) struct folder folder = folder_with(rows[i].name);
        assert_row(trust_is_hashed_directory(folder.path) == rows[i].is_hashed, rows[i].name);
    }
}

TEST(a_path_may_end_in_a_slash)
{
    CLEANUP(folder_remove) struct folder folder = folder_with("5ed36f99.0");

    (void)snprintf(folder.path + strlen(folder.path), 2, "/");
    assert_true(trust_is_hashed_directory(folder.path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_folder_holds_nothing),
        cmocka_unit_test(an_empty_folder_is_not_hashed),
        cmocka_unit_test(knows_a_hashed_name),
        cmocka_unit_test(a_path_may_end_in_a_slash),
    };

    return RUN_TESTS(tests);
}
