/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config.h"
#include "core/config_text.h"
#include "scratch.h"

enum { SOMEBODY = 12345, SOMEBODY_ELSE = 54321 };

static uid_t me; /* whom the code under test takes itself for */

uid_t __wrap_geteuid(void);
uid_t __wrap_geteuid(void)
{
    return me;
}

static enum keystay_status load(const char *path, bool must_exist, struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf text = BUF(CONFIG_SIZE_MAX);
    bool is_there = false;

    return config_load_text(path, must_exist, &is_there, &text, err);
}

/* The path of a file of this mode that belongs neither to root nor to SOMEBODY_ELSE. */
static const char *foreign(const struct scratch *folder, mode_t mode, char path[SCRATCH_PATH_SIZE])
{
    scratch_put(folder, "k.conf", SLICE("[defaults]\n"), mode);
    scratch_path(folder, "k.conf", path);
    assert_true(getuid() != 0 || chown(path, SOMEBODY, SOMEBODY) == 0);
    return path;
}

static void refuse(const char *path, const char *message, const char *hint)
{
    struct keystay_error err = { 0 };

    assert_row(load(path, true, &err) == KEYSTAY_E_CONFIG, message);
    assert_contains(err.message, "the configuration file '");
    assert_contains(err.message, path);
    assert_contains(err.message, message);
    assert_contains(err.hint, hint);
}

TEST(a_named_file_must_be_there_and_another_need_not)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];

    me = getuid();
    refuse(scratch_path(&folder, "missing", path), "cannot be opened: No such file", "");
    assert_ok(load(path, false, NULL));
    refuse(scratch_path(&folder, "missing/k.conf", path), "cannot be opened", "");
    assert_ok(load(path, false, NULL));
    scratch_put(&folder, "file", SLICE("x"), 0600);
    assert_ok(load(scratch_path(&folder, "file/k.conf", path), false, NULL));
    refuse("", "cannot be opened", "");
}

TEST(gives_the_text_and_keeps_what_was_there)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    CLEANUP(buf_clear) struct buf text = BUF(CONFIG_SIZE_MAX);
    char path[SCRATCH_PATH_SIZE];
    bool is_there = false;

    me = getuid();
    scratch_put(&folder, "k.conf", SLICE("[defaults]\n\0x"), 0644);
    assert_ok(config_load_text(scratch_path(&folder, "k.conf", path), true, &is_there, &text, NULL));
    assert_true(is_there);
    assert_true(slice_equal(buf_slice(&text), SLICE("[defaults]\n\0x")));
    assert_ok(config_load_text("/dev/null", true, &is_there, &text, NULL));
    assert_false(is_there);
}

TEST(the_cap_is_the_size_and_no_byte_more)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    CLEANUP(buf_clear) struct buf content = BUF(CONFIG_SIZE_MAX + 1);
    char path[SCRATCH_PATH_SIZE];

    me = getuid();
    while (content.len < CONFIG_SIZE_MAX) {
        assert_ok(buf_puts(&content, "#\n", NULL));
    }
    scratch_put(&folder, "k.conf", buf_slice(&content), 0600);
    assert_ok(load(scratch_path(&folder, "k.conf", path), true, NULL));
    assert_ok(buf_putc(&content, '#', NULL));
    scratch_put(&folder, "k.conf", buf_slice(&content), 0600);
    refuse(path, "longer than 1048576 bytes", "");
}

TEST(only_a_plain_file_is_read)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    char link[SCRATCH_PATH_SIZE];

    me = getuid();
    refuse(folder.path, "is a folder", "");
    assert_int_equal(mkfifo(scratch_path(&folder, "fifo", path), 0600), 0);
    refuse(path, "is not a plain file", "/dev/null");
    refuse("/dev/zero", "is not a plain file", "");
    assert_int_equal(symlink("loop", scratch_path(&folder, "loop", link)), 0);
    refuse(link, "cannot be opened", "");
    assert_int_equal(load(link, false, NULL), KEYSTAY_E_CONFIG);
}

TEST(a_file_that_others_can_write_is_refused)
{
    static const struct {
        mode_t mode;
        bool is_good;
    } rows[] = {
        { 0400, true },  { 0600, true },  { 0640, true },  { 0644, true },  { 0755, true },
        { 0620, false }, { 0602, false }, { 0660, false }, { 0666, false }, { 0664, false },
    };
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];

    me = getuid();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char mode[16];

        (void)snprintf(mode, sizeof(mode), "(mode %04o)", (unsigned int)rows[i].mode);
        scratch_put(&folder, "k.conf", SLICE("x"), rows[i].mode);
        scratch_path(&folder, "k.conf", path);
        if (rows[i].is_good) {
            assert_row(load(path, true, NULL) == KEYSTAY_OK, mode);
        } else {
            refuse(path, mode, "chmod go-w /tmp/");
        }
        assert_int_equal(unlink(path), 0);
    }
}

TEST(a_strangers_file_is_refused)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];

    me = SOMEBODY_ELSE;
    refuse(foreign(&folder, 0644, path), "who is neither root nor you", "a copy of your own");
    assert_int_equal(load(path, false, NULL), KEYSTAY_E_CONFIG);
}

TEST(root_reads_only_its_own)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];

    me = 0;
    refuse(foreign(&folder, 0600, path), "root uses only its own", "under sudo");
    assert_int_equal(load(path, false, NULL), KEYSTAY_E_CONFIG);
}

TEST(the_owner_and_roots_files_are_taken)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    struct stat info;

    assert_int_equal(stat(foreign(&folder, 0600, path), &info), 0);
    me = info.st_uid;
    assert_ok(load(path, true, NULL));
    me = SOMEBODY_ELSE;
    assert_ok(load("/etc/passwd", true, NULL)); /* root's, on every system */
}

TEST(a_link_is_judged_by_what_it_leads_to)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    char link[SCRATCH_PATH_SIZE];

    foreign(&folder, 0644, path);
    assert_int_equal(symlink(path, scratch_path(&folder, "link", link)), 0);
    me = 0;
    refuse(link, "root uses only its own", "");
    assert_int_equal(symlink("/etc/passwd", scratch_path(&folder, "other", link)), 0);
    me = SOMEBODY_ELSE;
    assert_ok(load(link, true, NULL));
}

/* Nothing of a file that is refused is left. */
TEST(a_refused_file_leaves_the_profile_unmade)
{
    static const char *const texts[] = { "[profile a]\ntenant = x\n[profile b]\ntimeout = 0\n",
                                         "[profile a]\ntenant = x\n[bogus]\n", "[profile b]\ntenant = x\n",
                                         "[profile a]\ntenant = x\nkey\n" };
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];

    me = getuid();
    scratch_path(&folder, "k.conf", path);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct keystay_profile *profile = NULL;
        struct keystay_error err = { 0 };

        scratch_put(&folder, "k.conf", slice_of_str(texts[i]), 0600);
        assert_row(keystay_profile_load(path, "a", &profile, &err) == KEYSTAY_E_CONFIG, texts[i]);
        assert_null(profile);
        assert_contains(err.message, path);
    }
}

TEST(a_profile_is_loaded_from_the_users_file)
{
    static const struct {
        const char *config, *home; /* below the folder; "" is the variable as it is */
        const char *file;
    } rows[] = {
        { "%s/xdg", "%s/home", "xdg" },
        { NULL, "%s/home", "home/.config" },
        { "", "%s/home", "home/.config" },
        { "relative", "%s/home", "home/.config" },
    };

    me = getuid();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(scratch_remove) struct scratch folder = scratch_new();
        CLEANUP(profile_freep) struct keystay_profile *profile = NULL;
        char path[SCRATCH_PATH_SIZE];
        char config[SCRATCH_PATH_SIZE];
        char home[SCRATCH_PATH_SIZE];
        static const char *const folders[] = { "home", "home/.config", "home/.config/keystay", "xdg",
                                               "xdg/keystay" };

        for (size_t k = 0; k < ARRAY_LEN(folders); k++) {
            assert_int_equal(mkdir(scratch_path(&folder, folders[k], path), 0700), 0);
        }
        (void)snprintf(path, sizeof(path), "%s/keystay/keystay.conf", rows[i].file);
        scratch_put(&folder, path, SLICE("[profile here]\ntenant = found\n"), 0600);
        scratch_path(&folder, "xdg", config);
        scratch_path(&folder, "home", home);
        KEPT_ENV a = env_set(
            "XDG_CONFIG_HOME", rows[i].config == NULL || rows[i].config[0] != '%' ? rows[i].config : config);
        KEPT_ENV b = env_set("HOME", home);
        assert_row(keystay_profile_load(NULL, "here", &profile, NULL) == KEYSTAY_OK, rows[i].file);
        assert_string_equal(keystay_profile_get(profile, "tenant"), "found");
    }
}

TEST(without_a_home_there_is_no_users_file)
{
    KEPT_ENV a = env_set("XDG_CONFIG_HOME", NULL);
    KEPT_ENV b = env_set("HOME", NULL);
    CLEANUP(config_clear) struct config config = { 0 };

    me = getuid();
    assert_ok(config_read(NULL, &config, NULL));
    assert_null(config.files[CONFIG_USER].path);
    assert_string_equal(config.files[CONFIG_SYSTEM].path, "/etc/keystay/keystay.conf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_named_file_must_be_there_and_another_need_not),
        cmocka_unit_test(gives_the_text_and_keeps_what_was_there),
        cmocka_unit_test(the_cap_is_the_size_and_no_byte_more),
        cmocka_unit_test(only_a_plain_file_is_read),
        cmocka_unit_test(a_file_that_others_can_write_is_refused),
        cmocka_unit_test(a_strangers_file_is_refused),
        cmocka_unit_test(root_reads_only_its_own),
        cmocka_unit_test(the_owner_and_roots_files_are_taken),
        cmocka_unit_test(a_link_is_judged_by_what_it_leads_to),
        cmocka_unit_test(a_refused_file_leaves_the_profile_unmade),
        cmocka_unit_test(a_profile_is_loaded_from_the_users_file),
        cmocka_unit_test(without_a_home_there_is_no_users_file),
    };

    return RUN_TESTS(tests);
}
