/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "pkcs11/latch.h"

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

static CK_TOKEN_INFO token_of(const char *label, const char *serial)
{
    CK_TOKEN_INFO info;

    memset(&info, ' ', sizeof(info));
    memcpy(info.label, label, strlen(label));
    memcpy(info.serialNumber, serial, strlen(serial));
    return info;
}

static struct latch opened(const char *dir)
{
    const CK_TOKEN_INFO token = token_of("backup", "0123");
    struct latch latch = LATCH_NONE;
    struct keystay_error err = { 0 };

    if (latch_open(&token, dir, &latch, &err) != KEYSTAY_OK) {
        fail_msg("%s", err.message);
    }
    return latch;
}

static enum latch_state state_of(const char *dir)
{
    CLEANUP(latch_close) struct latch latch = opened(dir);

    return latch.state;
}

/* Opens the latch of a token whose latch holds this. */
static enum latch_state state_with(const struct scratch *folder, struct slice content)
{
    CLEANUP(latch_close) struct latch latch = opened(folder->path);

    scratch_put(folder, strrchr(latch.path, '/') + 1, content, 0600);
    latch_close(&latch);
    return state_of(folder->path);
}

static void secret_of(const char *text, struct secret *ret_secret)
{
    assert_ok(secret_set(ret_secret, slice_of_str(text), NULL));
}

static bool is_same(const struct latch *latch, const char *text)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };
    bool same = false;

    secret_of(text, &pin);
    assert_ok(latch_is_same_pin(latch, &pin, &same, NULL));
    return same;
}

static void reject(const char *dir, const char *text)
{
    CLEANUP(latch_close) struct latch latch = opened(dir);
    CLEANUP(secret_clear) struct secret pin = { 0 };

    secret_of(text, &pin);
    assert_ok(latch_set_rejected(&latch, &pin, NULL));
    assert_int_equal(latch.state, LATCH_REJECTED);
}

static mode_t mode_of(const char *path)
{
    struct stat info;

    assert_int_equal(lstat(path, &info), 0);
    return info.st_mode & 07777;
}

static void content_of(const char *path, struct buf *content)
{
    assert_ok(file_read(path, "the latch", KEYSTAY_E_CONFIG, content, NULL));
}

TEST(closing_twice_and_closing_nothing_is_fine)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    struct latch none = LATCH_NONE;
    struct latch latch = opened(folder.path);

    latch_close(&none);
    latch_close(&latch);
    latch_close(&latch);
    assert_int_equal(latch.lock_fd, -1);
}

TEST(a_folder_that_cannot_be_had_is_a_setting_to_correct)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    const CK_TOKEN_INFO token = token_of("backup", "0123");
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
    CLEANUP(latch_close) struct latch latch = opened(folder.path);
    char fresh[LATCH_PATH_SIZE + 8];
    struct keystay_error err;

    (void)snprintf(fresh, sizeof(fresh), "%s.new", latch.path);
    assert_int_equal(mkdir(fresh, 0700), 0); /* as good as a full disk */
    assert_int_equal(latch_set_trying(&latch, &err), KEYSTAY_E_CONFIG);
    assert_contains(err.message, latch.path);
    assert_contains(err.hint, "--state-dir");
    latch_close(&latch);
    assert_int_equal(state_of(folder.path), LATCH_CLEAR);
}

TEST(the_states_follow_each_other_across_openings)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    struct latch latch = opened(folder.path);

    assert_int_equal(latch.state, LATCH_CLEAR);
    assert_ok(latch_set_trying(&latch, NULL));
    assert_int_equal(latch.state, LATCH_TRYING);
    latch_close(&latch);
    assert_int_equal(state_of(folder.path), LATCH_TRYING);
    reject(folder.path, "4711");
    latch = opened(folder.path);
    assert_int_equal(latch.state, LATCH_REJECTED);
    assert_ok(latch_erase(&latch, NULL));
    assert_int_equal(latch.state, LATCH_CLEAR);
    assert_ok(latch_erase(&latch, NULL)); /* nothing there: fine */
    latch_close(&latch);
    assert_int_equal(state_of(folder.path), LATCH_CLEAR);
}

/* A person is told of a refused PIN while another process is logging in: nobody waits for that. */
TEST(a_look_waits_for_nobody_and_changes_nothing)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    const CK_TOKEN_INFO token = token_of("backup", "0123");
    const CK_TOKEN_INFO other = token_of("backup", "4567");

    char missing[sizeof(folder.path) + 16];
    struct stat info;

    (void)snprintf(missing, sizeof(missing), "%s/missing", folder.path);
    assert_int_equal(latch_peek(&token, missing), LATCH_CLEAR);
    assert_int_equal(stat(missing, &info), -1);
    assert_int_equal(latch_peek(&token, folder.path), LATCH_CLEAR);
    reject(folder.path, "4711");
    assert_int_equal(latch_peek(&token, folder.path), LATCH_REJECTED);
    assert_int_equal(latch_peek(&other, folder.path), LATCH_CLEAR);
    struct latch latch = opened(folder.path);
    assert_int_equal(latch_peek(&token, folder.path), LATCH_REJECTED);
    assert_ok(latch_set_trying(&latch, NULL));
    assert_int_equal(latch_peek(&token, folder.path), LATCH_TRYING);
    latch_close(&latch);
    assert_int_equal(state_of(folder.path), LATCH_TRYING);
}

TEST(a_refused_pin_is_known_again_and_another_is_not)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();

    salt_is_fixed = true;
    reject(folder.path, "4711");
    salt_is_fixed = false;
    CLEANUP(latch_close) struct latch latch = opened(folder.path);
    assert_true(is_same(&latch, "4711"));
    assert_false(is_same(&latch, "4712"));
    assert_false(is_same(&latch, "47110"));
    assert_false(is_same(&latch, ""));
}

/* P2: salt and one byte of scrypt. A thief of the file learns at most eight bits. */
TEST(the_file_holds_one_byte_of_the_pin_and_no_more)
{
    static const char head[] = "keystay pin latch 1\nrejected ";
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char first[256] = { 0 };

    for (int i = 0; i < 2; i++) {
        CLEANUP(buf_clear) struct buf content = BUF(1024);
        reject(folder.path, "a rather long PIN, 4711");
        CLEANUP(latch_close) struct latch latch = opened(folder.path);

        content_of(latch.path, &content);
        assert_int_equal(content.len, sizeof(head) - 1 + 32 + 1 + 2 + 1);
        assert_memory_equal(content.data, head, sizeof(head) - 1);
        assert_lacks(buf_str(&content), "4711");
        /* Another salt each time. */
        assert_true(memcmp(first, content.data + sizeof(head) - 1, 32) != 0);
        memcpy(first, content.data + sizeof(head) - 1, 32);
    }
    CLEANUP(buf_clear) struct buf trying = BUF(1024);
    CLEANUP(latch_close) struct latch latch = opened(folder.path);
    assert_ok(latch_set_trying(&latch, NULL));
    content_of(latch.path, &trying);
    assert_buf(&trying, "keystay pin latch 1\ntrying\n");
}

TEST(nobody_else_may_look_whatever_the_umask)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char dir[SCRATCH_PATH_SIZE], parent[SCRATCH_PATH_SIZE], lock_path[LATCH_PATH_SIZE + 8];
    mode_t before = umask(0);

    reject(scratch_path(&folder, "a/b/", dir), "4711");
    CLEANUP(latch_close) struct latch latch = opened(dir);
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
    const CK_TOKEN_INFO others[] = { token_of("backup", "0124"), token_of("backu", "0123"),
                                     token_of("", "") };
    CK_TOKEN_INFO same = token_of("backup", "0123");
    CLEANUP(latch_close) struct latch held = LATCH_NONE;

    reject(folder.path, "4711");
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
    CLEANUP(latch_close) struct latch latch = opened(folder.path);
    int ends[2];
    char answer = 0;

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        latch_close(&(struct latch){ .lock_fd = latch.lock_fd }); /* its copy of ours */
        _exit(state_of(folder.path) == LATCH_TRYING && write(ends[1], "x", 1) == 1 ? 0 : 1);
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
        CLEANUP(latch_close) struct latch latch = opened(NULL);
        assert_memory_equal(latch.path, folder.path, strlen(folder.path));
    }
}

/* A name that was cut is another folder: the refused PIN would be forgotten there. */
TEST(a_default_folder_with_a_long_name_is_not_cut)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    const CK_TOKEN_INFO token = token_of("backup", "0123");
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

#define HEAD "keystay pin latch 1\n"
#define SALT "000102030405060708090a0b0c0d0e0f"

TEST(what_cannot_be_understood_counts_as_a_try)
{
    static const struct slice rows[] = {
#define ROW(text) { (const uint8_t *)(text), sizeof(text) - 1 }
        ROW(""),
        ROW("rubbish"),
        ROW(HEAD),
        ROW(HEAD "clear\n"),
        ROW(HEAD "rejected \n"),
        ROW(HEAD "rejected " SALT "\n"),
        ROW(HEAD "rejected " SALT " \n"),
        ROW(HEAD "rejected " SALT " a"),
        ROW(HEAD "rejected " SALT " xy\n"),
        ROW(HEAD "rejected " SALT "-ab\n"),
        ROW(HEAD "rejected 0001020304050607 ab\n"),
        ROW("keystay pin latch 2\nrejected " SALT " ab\n"),
        ROW("\0\0\0\0\0\0\0\0"),
        ROW(HEAD "rejected \0" SALT " ab\n"),
        ROW(HEAD "rejected " SALT " +a\n"),
        ROW(HEAD "rejected " SALT "  a\n"),
        ROW(HEAD "rejected -1" SALT " ab\n"),
        ROW(HEAD "rejected  1 2 3 4 5 6 7 8 9 a b c d e f 0 ab\n"),
        ROW(HEAD "rejected " SALT " abcd\n"),
#undef ROW
    };
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();

    assert_int_equal(state_with(&folder, SLICE(HEAD "rejected " SALT " ab\n")), LATCH_REJECTED);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (state_with(&folder, rows[i]) != LATCH_TRYING) {
            fail_msg(
                "row %zu is not taken for a try: '%.*s'", i, (int)rows[i].len, (const char *)rows[i].data);
        }
    }
}

TEST(a_latch_that_is_far_too_long_counts_as_a_try_too)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    const CK_TOKEN_INFO token = token_of("backup", "0123");
    CLEANUP(latch_close) struct latch latch = opened(folder.path);
    char content[5000];

    memset(content, 'x', sizeof(content));
    scratch_put(
        &folder, strrchr(latch.path, '/') + 1, (struct slice){ (const uint8_t *)content, sizeof(content) },
        0600);
    latch_close(&latch);
    assert_ok(latch_open(&token, folder.path, &latch, NULL));
    assert_int_equal(latch.state, LATCH_TRYING);
}

/* In a folder that others can write to, a symlink would have us write, or believe, another file. */
TEST(symlinks_are_refused)
{
    static const char *const suffixes[] = { ".lock", ".new" };
    const CK_TOKEN_INFO token = token_of("backup", "0123");

    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        CLEANUP(scratch_remove) struct scratch folder = scratch_new();
        CLEANUP(temp_file_remove) struct temp_file victim = temp_file(SLICE("precious"));
        CLEANUP(buf_clear) struct buf content = BUF(64);
        struct latch latch = opened(folder.path);
        char path[LATCH_PATH_SIZE + 8];

        latch_close(&latch);
        (void)snprintf(path, sizeof(path), "%s%s", latch.path, suffixes[i]);
        (void)unlink(path);
        assert_int_equal(symlink(victim.path, path), 0);
        enum keystay_status status = latch_open(&token, folder.path, &latch, NULL);
        status = status != KEYSTAY_OK ? status : latch_set_trying(&latch, NULL);
        latch_close(&latch);
        assert_row(status == KEYSTAY_E_CONFIG, suffixes[i]);
        content_of(victim.path, &content);
        assert_buf(&content, "precious");
    }
}

TEST(a_latch_that_is_a_symlink_is_not_read_as_clear)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    const CK_TOKEN_INFO token = token_of("backup", "0123");
    struct latch latch = opened(folder.path);

    latch_close(&latch);
    assert_int_equal(symlink("/nonexistent/latch", latch.path), 0);
    enum keystay_status status = latch_open(&token, folder.path, &latch, NULL);
    assert_true(status == KEYSTAY_E_CONFIG || latch.state == LATCH_TRYING);
    latch_close(&latch);
}

/* What the vendor writes into the token's label is no path. */
TEST(a_hostile_label_stays_within_the_folder)
{
    static const char *const labels[] = { "../../../tmp/x", "/etc/passwd", "a/b", ".", "\n\x1B[2J" };
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();

    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        const CK_TOKEN_INFO token = token_of(labels[i], "../x");
        CLEANUP(latch_close) struct latch latch = LATCH_NONE;
        size_t dir_len = strlen(folder.path);

        assert_ok(latch_open(&token, folder.path, &latch, NULL));
        assert_memory_equal(latch.path, folder.path, dir_len);
        assert_int_equal(strspn(latch.path + dir_len + 5, "0123456789abcdef"), 32);
        assert_int_equal(strlen(latch.path), dir_len + 5 + 32);
    }
}

TEST(a_half_written_successor_is_not_believed)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    struct latch latch = LATCH_NONE;
    char name[64];

    reject(folder.path, "4711");
    latch = opened(folder.path);
    (void)snprintf(name, sizeof(name), "%s.new", strrchr(latch.path, '/') + 1);
    scratch_put(&folder, name, SLICE("keystay pin la"), 0600);
    latch_close(&latch);
    latch = opened(folder.path);
    assert_int_equal(latch.state, LATCH_REJECTED);
    assert_ok(latch_set_trying(&latch, NULL));
    latch_close(&latch);
    assert_int_equal(state_of(folder.path), LATCH_TRYING);
}

/* Whenever it is killed, the file is the old one or the new one. */
TEST(a_killed_writer_leaves_the_old_or_the_new)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    const int n_rounds = is_under_valgrind() ? 3 : 30;

    for (int round = 0; round < n_rounds; round++) {
        pid_t child = fork();
        if (child == 0) {
            for (;;) {
                struct latch latch = opened(folder.path);
                (void)latch_set_trying(&latch, NULL);
                latch_close(&latch);
            }
        }
        sleep_ms(5 + round);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        CLEANUP(latch_close) struct latch latch = opened(folder.path);
        CLEANUP(buf_clear) struct buf content = BUF(256);
        if (latch.state != LATCH_CLEAR) {
            content_of(latch.path, &content);
            assert_buf(&content, "keystay pin latch 1\ntrying\n");
        }
        assert_true(round < n_rounds - 1 || latch.state == LATCH_TRYING);
    }
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
        cmocka_unit_test(the_file_holds_one_byte_of_the_pin_and_no_more),
        cmocka_unit_test(nobody_else_may_look_whatever_the_umask),
        cmocka_unit_test(each_token_has_a_latch_of_its_own),
        cmocka_unit_test(another_process_waits_until_the_latch_is_closed),
        cmocka_unit_test(the_service_managers_folder_is_the_default),
        cmocka_unit_test(a_default_folder_with_a_long_name_is_not_cut),
        cmocka_unit_test(what_cannot_be_understood_counts_as_a_try),
        cmocka_unit_test(a_latch_that_is_far_too_long_counts_as_a_try_too),
        cmocka_unit_test(symlinks_are_refused),
        cmocka_unit_test(a_latch_that_is_a_symlink_is_not_read_as_clear),
        cmocka_unit_test(a_hostile_label_stays_within_the_folder),
        cmocka_unit_test(a_half_written_successor_is_not_believed),
        cmocka_unit_test(a_killed_writer_leaves_the_old_or_the_new),
    };

    return RUN_TESTS(tests);
}
