/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a latch's file, and what may stand there or in its place. */
#include "latches.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Opens the latch of a token whose latch holds this. */
static enum latch_state state_with(const struct scratch *folder, struct slice content)
{
    CLEANUP(latch_close) struct latch latch = latch_opened(folder->path);

    scratch_put(folder, strrchr(latch.path, '/') + 1, content, 0600);
    latch_close(&latch);
    return latch_state_in(folder->path);
}

/* P2: salt and one byte of scrypt. A thief of the file learns at most eight bits. */
TEST(the_file_holds_one_byte_of_the_pin_and_no_more)
{
    static const char head[] = "keystay pin latch 1\nrejected ";
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char first[256] = { 0 };

    for (int i = 0; i < 2; i++) {
        CLEANUP(buf_clear) struct buf content = BUF(1024);
        latch_reject(folder.path, "a rather long PIN, 4711");
        CLEANUP(latch_close) struct latch latch = latch_opened(folder.path);

        latch_content(latch.path, &content);
        assert_int_equal(content.len, sizeof(head) - 1 + 32 + 1 + 2 + 1);
        assert_memory_equal(content.data, head, sizeof(head) - 1);
        assert_lacks(buf_str(&content), "4711");
        /* Another salt each time. */
        assert_true(memcmp(first, content.data + sizeof(head) - 1, 32) != 0);
        memcpy(first, content.data + sizeof(head) - 1, 32);
    }
    CLEANUP(buf_clear) struct buf trying = BUF(1024);
    CLEANUP(latch_close) struct latch latch = latch_opened(folder.path);
    assert_ok(latch_set_trying(&latch, NULL));
    latch_content(latch.path, &trying);
    assert_buf(&trying, "keystay pin latch 1\ntrying\n");
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
    const CK_TOKEN_INFO token = latch_token("backup", "0123");
    CLEANUP(latch_close) struct latch latch = latch_opened(folder.path);
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
    const CK_TOKEN_INFO token = latch_token("backup", "0123");

    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        CLEANUP(scratch_remove) struct scratch folder = scratch_new();
        CLEANUP(temp_file_remove) struct temp_file victim = temp_file(SLICE("precious"));
        CLEANUP(buf_clear) struct buf content = BUF(64);
        struct latch latch = latch_opened(folder.path);
        char path[LATCH_PATH_SIZE + 8];

        latch_close(&latch);
        (void)snprintf(path, sizeof(path), "%s%s", latch.path, suffixes[i]);
        (void)unlink(path);
        assert_int_equal(symlink(victim.path, path), 0);
        enum keystay_status status = latch_open(&token, folder.path, &latch, NULL);
        status = status != KEYSTAY_OK ? status : latch_set_trying(&latch, NULL);
        latch_close(&latch);
        assert_row(status == KEYSTAY_E_CONFIG, suffixes[i]);
        latch_content(victim.path, &content);
        assert_buf(&content, "precious");
    }
}

TEST(a_latch_that_is_a_symlink_is_not_read_as_clear)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    const CK_TOKEN_INFO token = latch_token("backup", "0123");
    struct latch latch = latch_opened(folder.path);

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
        const CK_TOKEN_INFO token = latch_token(labels[i], "../x");
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

    latch_reject(folder.path, "4711");
    latch = latch_opened(folder.path);
    (void)snprintf(name, sizeof(name), "%s.new", strrchr(latch.path, '/') + 1);
    scratch_put(&folder, name, SLICE("keystay pin la"), 0600);
    latch_close(&latch);
    latch = latch_opened(folder.path);
    assert_int_equal(latch.state, LATCH_REJECTED);
    assert_ok(latch_set_trying(&latch, NULL));
    latch_close(&latch);
    assert_int_equal(latch_state_in(folder.path), LATCH_TRYING);
}

/* Whenever it is killed, the file is the old one or the new one. */
TEST(a_killed_writer_leaves_the_old_or_the_new)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    const int n_rounds = is_under_valgrind() ? 3 : 30;
    int ends[2];
    char written = 0;

    assert_int_equal(pipe(ends), 0);
    for (int round = 0; round < n_rounds; round++) {
        pid_t child = fork();
        if (child == 0) {
            for (;;) {
                struct latch latch = latch_opened(folder.path);
                (void)latch_set_trying(&latch, NULL);
                latch_close(&latch);
                (void)!write(ends[1], "x", round == n_rounds - 1);
            }
        }
        sleep_ms(5 + round);
        if (round == n_rounds - 1) {
            assert_int_equal(read(ends[0], &written, 1), 1); /* on a busy machine none may have got so far */
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        CLEANUP(latch_close) struct latch latch = latch_opened(folder.path);
        CLEANUP(buf_clear) struct buf content = BUF(256);
        if (latch.state != LATCH_CLEAR) {
            latch_content(latch.path, &content);
            assert_buf(&content, "keystay pin latch 1\ntrying\n");
        }
        assert_true(round < n_rounds - 1 || latch.state == LATCH_TRYING);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_holds_one_byte_of_the_pin_and_no_more),
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
