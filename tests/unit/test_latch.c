/* SPDX-License-Identifier: Apache-2.0 */
#include "latches.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Random bytes are all 7 where a test needs to know the salt (--wrap): whether two PINs share their byte is
 * then no matter of luck. */
static bool salt_is_fixed;
enum keystay_status __real_random_bytes(uint8_t *bytes, size_t len, struct keystay_error *err);
enum keystay_status __wrap_random_bytes(uint8_t *bytes, size_t len, struct keystay_error *err);
enum keystay_status __wrap_random_bytes(uint8_t *bytes, size_t len, struct keystay_error *err)
{
    if (!salt_is_fixed) {
        return __real_random_bytes(bytes, len, err);
    }
    memset(bytes, 7, len);
    return KEYSTAY_OK;
}

static bool is_same(const struct latch *latch, const char *text)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };
    bool same = false;

    assert_ok(secret_set(&pin, slice_of_str(text), NULL));
    assert_ok(latch_is_same_pin(latch, &pin, &same, NULL));
    return same;
}

static mode_t mode_of(const char *path)
{
    struct stat info;

    assert_int_equal(lstat(path, &info), 0);
    return info.st_mode & 07777;
}

TEST(closing_twice_and_closing_nothing_is_fine)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    struct latch none = LATCH_NONE;
    struct latch latch = latch_opened(folder.path);

    latch_close(&none);
    latch_close(&latch);
    latch_close(&latch);
    assert_int_equal(latch.lock_fd, -1);
}

TEST(a_folder_that_cannot_be_had_is_a_setting_to_correct)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    const CK_TOKEN_INFO token = latch_token("backup", "0123");
    char file[SCRATCH_PATH_SIZE], below[SCRATCH_PATH_SIZE], too_long[600];
    const char *const dirs[] = {
        "/dev/null/x", "/proc/self", "/proc/keystay/state", file, below, too_long, ""
    };

    scratch_put(&folder, "file", SLICE(""), 0600);
    (void)scratch_path(&folder, "file", file);
    (void)scratch_path(&folder, "file/below", below);
    memset(too_long, '/', sizeof(too_long));
    too_long[sizeof(too_long) - 1] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        struct latch latch = LATCH_NONE;
        struct keystay_error err;

        assert_row(latch_open(&token, dirs[i], &latch, &err) == KEYSTAY_E_CONFIG, dirs[i]);
        assert_row(latch.lock_fd == -1, dirs[i]);
        assert_row(err.message[0] != '\0', dirs[i]);
    }
}

TEST(what_cannot_be_written_is_told_and_keeps_the_old_state)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    CLEANUP(latch_close) struct latch latch = latch_opened(folder.path);
    char fresh[LATCH_PATH_SIZE + 8];
    struct keystay_error err;

    (void)snprintf(fresh, sizeof(fresh), "%s.new", latch.path);
    assert_int_equal(mkdir(fresh, 0700), 0); /* as good as a full disk */
    assert_int_equal(latch_set_trying(&latch, &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, latch.path);
    assert_contains(err.hint, "--state-dir");
    latch_close(&latch);
    assert_int_equal(latch_state_in(folder.path), LATCH_CLEAR);
}

TEST(the_states_follow_each_other_across_openings)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    struct latch latch = latch_opened(folder.path);

    assert_int_equal(latch.state, LATCH_CLEAR);
    assert_ok(latch_set_trying(&latch, NULL));
    assert_int_equal(latch.state, LATCH_TRYING);
    latch_close(&latch);
    assert_int_equal(latch_state_in(folder.path), LATCH_TRYING);
    latch_reject(folder.path, "4711");
    latch = latch_opened(folder.path);
    assert_int_equal(latch.state, LATCH_REJECTED);
    assert_ok(latch_erase(&latch, NULL));
    assert_int_equal(latch.state, LATCH_CLEAR);
    assert_ok(latch_erase(&latch, NULL)); /* nothing there: fine */
    latch_close(&latch);
    assert_int_equal(latch_state_in(folder.path), LATCH_CLEAR);
}

/* A person is told of a refused PIN while another process is logging in: nobody waits for that. */
TEST(a_look_waits_for_nobody_and_changes_nothing)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    const CK_TOKEN_INFO token = latch_token("backup", "0123");
    const CK_TOKEN_INFO other = latch_token("backup", "4567");

    char missing[sizeof(folder.path) + 16];
    struct stat info;

    (void)snprintf(missing, sizeof(missing), "%s/missing", folder.path);
    assert_int_equal(latch_peek(&token, missing), LATCH_CLEAR);
    assert_int_equal(stat(missing, &info), -1);
    assert_int_equal(latch_peek(&token, folder.path), LATCH_CLEAR);
    latch_reject(folder.path, "4711");
    assert_int_equal(latch_peek(&token, folder.path), LATCH_REJECTED);
    assert_int_equal(latch_peek(&other, folder.path), LATCH_CLEAR);
    struct latch latch = latch_opened(folder.path);
    assert_int_equal(latch_peek(&token, folder.path), LATCH_REJECTED);
    assert_ok(latch_set_trying(&latch, NULL));
    assert_int_equal(latch_peek(&token, folder.path), LATCH_TRYING);
    latch_close(&latch);
    assert_int_equal(latch_state_in(folder.path), LATCH_TRYING);
}

TEST(a_refused_pin_is_known_again_and_another_is_not)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();

    salt_is_fixed = true;
    latch_reject(folder.path, "4711");
    salt_is_fixed = false;
    CLEANUP(latch_close) struct latch latch = latch_opened(folder.path);
    assert_true(is_same(&latch, "4711"));
    assert_false(is_same(&latch, "4712"));
    assert_false(is_same(&latch, "47110"));
    assert_false(is_same(&latch, ""));
}

TEST(nobody_else_may_look_whatever_the_umask)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char dir[SCRATCH_PATH_SIZE], parent[SCRATCH_PATH_SIZE], lock_path[LATCH_PATH_SIZE + 8];
    mode_t before = umask(0);

    latch_reject(scratch_path(&folder, "a/b/", dir), "4711");
    CLEANUP(latch_close) struct latch latch = latch_opened(dir);
    (void)umask(before);
    assert_int_equal(mode_of(scratch_path(&folder, "a", parent)), 0700);
    assert_int_equal(mode_of(dir), 0700);
    assert_int_equal(mode_of(latch.path), 0600);
    (void)snprintf(lock_path, sizeof(lock_path), "%s.lock", latch.path);
    assert_int_equal(mode_of(lock_path), 0600);
    assert_true(fcntl(latch.lock_fd, F_GETFD) & FD_CLOEXEC);
}

TEST(each_token_has_a_latch_of_its_own)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    const CK_TOKEN_INFO others[] = { latch_token("backup", "0124"), latch_token("backu", "0123"),
                                     latch_token("", "") };
    CK_TOKEN_INFO same = latch_token("backup", "0123");
    CLEANUP(latch_close) struct latch held = LATCH_NONE;

    latch_reject(folder.path, "4711");
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        CLEANUP(latch_close) struct latch latch = LATCH_NONE;
        assert_ok(latch_open(&others[i], folder.path, &latch, NULL));
        assert_int_equal(latch.state, LATCH_CLEAR);
    }
    /* Flags, counters and the clock are not what names a token. */
    same.flags = CKF_USER_PIN_COUNT_LOW;
    same.ulRwSessionCount = 7;
    memset(same.utcTime, '1', sizeof(same.utcTime));
    assert_ok(latch_open(&same, folder.path, &held, NULL));
    assert_int_equal(held.state, LATCH_REJECTED);
}

TEST(another_process_waits_until_the_latch_is_closed)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    CLEANUP(latch_close) struct latch latch = latch_opened(folder.path);
    int ends[2];
    char answer = 0;

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        latch_close(&(struct latch){ .lock_fd = latch.lock_fd }); /* its copy of ours */
        _exit(latch_state_in(folder.path) == LATCH_TRYING && write(ends[1], "x", 1) == 1 ? 0 : 1);
    }
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    sleep_ms(200);
    assert_int_equal(read(ends[0], &answer, 1), -1);
    assert_ok(latch_set_trying(&latch, NULL));
    latch_close(&latch);
    wait_for(read(ends[0], &answer, 1) == 1);
    assert_int_equal(answer, 'x');
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

TEST(the_service_managers_folder_is_the_default)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char several[200];
    const char *values[] = { folder.path, several };

    (void)snprintf(several, sizeof(several), "%s:/nonexistent/other", folder.path);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        KEPT_ENV set = env_set("STATE_DIRECTORY", values[i]);
        CLEANUP(latch_close) struct latch latch = latch_opened(NULL);
        assert_memory_equal(latch.path, folder.path, strlen(folder.path));
    }
}

/* A name that was cut is another folder: the refused PIN would be forgotten there. */
TEST(a_default_folder_with_a_long_name_is_not_cut)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    const CK_TOKEN_INFO token = latch_token("backup", "0123");
    char path[600] = { 0 };
    struct latch latch = LATCH_NONE;

    memcpy(path, folder.path, strlen(folder.path));
    for (size_t i = strlen(folder.path); i < sizeof(path) - 1; i++) {
        path[i] = (i - strlen(folder.path)) % 100 == 0 ? '/' : 'd';
    }
    KEPT_ENV set = env_set("STATE_DIRECTORY", path);
    enum keystay_status status = latch_open(&token, NULL, &latch, NULL);
    latch_close(&latch);
    assert_int_equal(status, KEYSTAY_E_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_twice_and_closing_nothing_is_fine),
        cmocka_unit_test(a_folder_that_cannot_be_had_is_a_setting_to_correct),
        cmocka_unit_test(what_cannot_be_written_is_told_and_keeps_the_old_state),
        cmocka_unit_test(the_states_follow_each_other_across_openings),
        cmocka_unit_test(a_look_waits_for_nobody_and_changes_nothing),
        cmocka_unit_test(a_refused_pin_is_known_again_and_another_is_not),
        cmocka_unit_test(nobody_else_may_look_whatever_the_umask),
        cmocka_unit_test(each_token_has_a_latch_of_its_own),
        cmocka_unit_test(another_process_waits_until_the_latch_is_closed),
        cmocka_unit_test(the_service_managers_folder_is_the_default),
        cmocka_unit_test(a_default_folder_with_a_long_name_is_not_cut),
    };

    return RUN_TESTS(tests);
}
