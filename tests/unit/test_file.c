/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static enum keystay_status read_it(const char *path, struct buf *content, struct keystay_error *err)
{
    return file_read(path, "the test file", KEYSTAY_E_CERTIFICATE, content, err);
}

TEST(a_missing_file_is_named)
{
    CLEANUP(buf_clear) struct buf content = BUF(64);
    struct keystay_error err;

    assert_int_equal(read_it("/nonexistent/x", &content, &err), KEYSTAY_E_CERTIFICATE);
    assert_contains(err.message, "the test file '/nonexistent/x'");
    assert_contains(err.message, "No such file");
    assert_contains(err.hint, "ls shows");
    assert_int_equal(read_it("no-such-file", &content, &err), KEYSTAY_E_CERTIFICATE);
    assert_contains(err.hint, "current folder");
}

TEST(each_kind_of_trouble_has_its_own_advice)
{
    static const struct {
        int number;
        const char *words;
    } rows[] = { { ENOENT, "is the path right?" },
                 { ENOTDIR, "is the path right?" },
                 { EACCES, "may this user" },
                 { EPERM, "may this user" },
                 { EROFS, "may this user" },
                 { ENOSPC, "the disk is full" },
                 { EIO, "as it was" } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct keystay_error err = { .hint = "as it was" };

        assert_int_equal(file_hint("/x", rows[i].number, KEYSTAY_E_CONFIG, &err), KEYSTAY_E_CONFIG);
        assert_contains(err.hint, rows[i].words);
    }
    assert_int_equal(file_hint("/x", ENOENT, KEYSTAY_E_CONFIG, NULL), KEYSTAY_E_CONFIG);
}

TEST(a_folder_is_no_file)
{
    CLEANUP(buf_clear) struct buf content = BUF(64);
    struct keystay_error err;

    assert_int_equal(read_it("/tmp", &content, &err), KEYSTAY_E_CERTIFICATE);
    assert_contains(err.message, "is a folder");
    assert_contains(err.hint, "a file in it");
}

TEST(a_descriptor_that_is_not_open_is_an_error)
{
    CLEANUP(buf_clear) struct buf content = BUF(64);
    struct keystay_error err;

    assert_int_equal(
        file_read_fd(987654, "the descriptor", KEYSTAY_E_PIN_SOURCE, 500, &content, &err),
        KEYSTAY_E_PIN_SOURCE);
    assert_contains(err.message, "the descriptor cannot be read");
    assert_int_equal(file_write_all(987654, SLICE("x"), &err), KEYSTAY_E_OUTPUT);
}

TEST(closing_twice_closes_once)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int closed = fd;

    assert_true(fd >= 0);
    file_closep(&fd);
    assert_int_equal(fd, -1);
    assert_int_equal(fcntl(closed, F_GETFD), -1);
    file_closep(&fd);
}

TEST(reads_a_whole_file_behind_what_is_there)
{
    CLEANUP(temp_file_remove) struct temp_file file = temp_file(SLICE("one\0two\n"));
    CLEANUP(buf_clear) struct buf content = BUF(64);

    assert_ok(buf_puts(&content, ">", NULL));
    assert_ok(read_it(file.path, &content, NULL));
    assert_true(slice_equal(buf_slice(&content), SLICE(">one\0two\n")));
}

TEST(what_is_opened_is_not_inherited)
{
    CLEANUP(temp_file_remove) struct temp_file file = temp_file(SLICE("x"));
    CLEANUP(file_closep) int fd = -1;

    assert_ok(file_open(file.path, "the test file", KEYSTAY_E_CONFIG, &fd, NULL));
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

TEST(reads_a_pipe_to_its_end)
{
    CLEANUP(file_closep) int fd = pipe_with(SLICE("from a pipe"));
    CLEANUP(buf_clear) struct buf content = BUF(64);

    assert_ok(file_read_fd(fd, "the pipe", KEYSTAY_E_CONFIG, 500, &content, NULL));
    assert_buf(&content, "from a pipe");
}

TEST(writes_all_of_it)
{
    CLEANUP(temp_file_remove) struct temp_file file = temp_file(SLICE(""));
    CLEANUP(buf_clear) struct buf content = BUF(64);
    CLEANUP(file_closep) int fd = open(file.path, O_WRONLY | O_CLOEXEC);

    assert_ok(file_write_all(fd, SLICE("one"), NULL));
    assert_ok(file_write_all(fd, SLICE(""), NULL));
    assert_ok(file_write_all(fd, SLICE("two"), NULL));
    assert_ok(read_it(file.path, &content, NULL));
    assert_buf(&content, "onetwo");
}

TEST(a_file_as_long_as_the_cap_fits_and_one_byte_more_does_not)
{
    static const char text[] = "12345678";
    CLEANUP(temp_file_remove) struct temp_file file = temp_file(SLICE(text));
    CLEANUP(buf_clear) struct buf exact = BUF(8);
    CLEANUP(buf_clear) struct buf small = BUF(7);
    struct keystay_error err;

    assert_ok(read_it(file.path, &exact, NULL));
    assert_buf(&exact, text);
    assert_int_equal(read_it(file.path, &small, &err), KEYSTAY_E_CERTIFICATE);
    assert_contains(err.message, "longer than 7 bytes");
    assert_lacks(err.message, "1234");
}

TEST(an_empty_file_reads_as_empty)
{
    CLEANUP(temp_file_remove) struct temp_file file = temp_file(SLICE(""));
    CLEANUP(buf_clear) struct buf content = BUF(8);

    assert_ok(read_it(file.path, &content, NULL));
    assert_int_equal(content.len, 0);
}

TEST(a_fifo_that_nobody_writes_to_does_not_hang)
{
    CLEANUP(temp_file_remove) struct temp_file file = temp_file(SLICE(""));
    CLEANUP(buf_clear) struct buf content = BUF(8);

    assert_int_equal(unlink(file.path), 0);
    assert_int_equal(mkfifo(file.path, 0600), 0);
    CLEANUP(file_closep) int fd = -1;
    struct keystay_error err;

    assert_ok(file_open(file.path, "the file", KEYSTAY_E_PIN_SOURCE, &fd, NULL));
    assert_int_equal(
        file_read_fd(fd, "the file", KEYSTAY_E_PIN_SOURCE, 100, &content, &err), KEYSTAY_E_PIN_SOURCE);
    assert_contains(err.message, "timed out");
}

TEST(an_endless_file_stops_at_the_cap)
{
    CLEANUP(buf_clear) struct buf content = BUF(1 << 20);

    assert_int_equal(read_it("/dev/zero", &content, NULL), KEYSTAY_E_CERTIFICATE);
}

TEST(a_full_disk_is_told)
{
    CLEANUP(file_closep) int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct keystay_error err;

    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, SLICE("x"), &err), KEYSTAY_E_OUTPUT);
    assert_contains(err.message, "No space left");
}

TEST(an_unknown_errno_has_a_text_too)
{
    assert_string_equal(file_errno_text(ENOENT), "No such file or directory");
    assert_true(strlen(file_errno_text(123456)) > 0);
}

TEST(a_path_with_control_characters_is_tamed)
{
    CLEANUP(buf_clear) struct buf content = BUF(8);
    struct keystay_error err;

    assert_int_equal(read_it("/nonexistent/\x1B[2J", &content, &err), KEYSTAY_E_CERTIFICATE);
    assert_tame(err.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(each_kind_of_trouble_has_its_own_advice),
        cmocka_unit_test(a_folder_is_no_file),
        cmocka_unit_test(a_descriptor_that_is_not_open_is_an_error),
        cmocka_unit_test(closing_twice_closes_once),
        cmocka_unit_test(reads_a_whole_file_behind_what_is_there),
        cmocka_unit_test(what_is_opened_is_not_inherited),
        cmocka_unit_test(reads_a_pipe_to_its_end),
        cmocka_unit_test(writes_all_of_it),
        cmocka_unit_test(a_file_as_long_as_the_cap_fits_and_one_byte_more_does_not),
        cmocka_unit_test(an_empty_file_reads_as_empty),
        cmocka_unit_test(a_fifo_that_nobody_writes_to_does_not_hang),
        cmocka_unit_test(an_endless_file_stops_at_the_cap),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(an_unknown_errno_has_a_text_too),
        cmocka_unit_test(a_path_with_control_characters_is_tamed),
    };

    return RUN_TESTS(tests);
}
