/* SPDX-License-Identifier: Apache-2.0 */
/* Whose folder it is that a file of the agent lies in. */
#include "agent/folder.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "scratch.h"
#include "unit.h"

/* What is said of a file in "a/b" of a folder, where these have the modes given. */
static enum keystay_status check(const struct scratch *folder, mode_t a, mode_t b)
{
    char path_a[SCRATCH_PATH_SIZE];
    char path_b[SCRATCH_PATH_SIZE];
    char file[SCRATCH_PATH_SIZE];

    assert_int_equal(chmod(scratch_path(folder, "a", path_a), a), 0);
    assert_int_equal(chmod(scratch_path(folder, "a/b", path_b), b), 0);
    return folder_check(scratch_path(folder, "a/b/file", file), NULL);
}

static struct scratch begin(void)
{
    const struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];

    assert_int_equal(mkdir(scratch_path(&folder, "a", path), 0755), 0);
    assert_int_equal(mkdir(scratch_path(&folder, "a/b", path), 0755), 0);
    return folder;
}

TEST(a_folder_of_the_agent_s_own)
{
    struct scratch folder = begin();

    assert_ok(check(&folder, 0755, 0700));
    assert_ok(check(&folder, 0755, 0755));
    assert_ok(check(&folder, 0775, 0775)); /* the group is the agent's own */
    assert_ok(folder_check("/file", NULL));
    scratch_remove(&folder);
}

TEST(others_can_write_to_it_or_above)
{
    struct scratch folder = begin();

    assert_int_equal(check(&folder, 0755, 0777), KEYSTAY_E_CONFIG);
    assert_int_equal(check(&folder, 0755, 01777), KEYSTAY_E_CONFIG);
    assert_int_equal(check(&folder, 0777, 0755), KEYSTAY_E_CONFIG);
    assert_int_equal(folder_check("/tmp/file", NULL), KEYSTAY_E_CONFIG);
    scratch_remove(&folder);
}

TEST(a_link_is_judged_by_where_it_leads)
{
    struct scratch folder = begin();
    char link[SCRATCH_PATH_SIZE];
    char file[SCRATCH_PATH_SIZE];

    assert_int_equal(symlink("/tmp", scratch_path(&folder, "a/link", link)), 0);
    assert_int_equal(folder_check(scratch_path(&folder, "a/link/file", file), NULL), KEYSTAY_E_CONFIG);
    scratch_remove(&folder);
}

TEST(no_folder_is_none)
{
    assert_int_equal(folder_check("/nowhere/at/all/file", NULL), KEYSTAY_E_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_of_the_agent_s_own),
        cmocka_unit_test(others_can_write_to_it_or_above),
        cmocka_unit_test(a_link_is_judged_by_where_it_leads),
        cmocka_unit_test(no_folder_is_none),
    };

    return RUN_TESTS(tests);
}
