/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

TEST(an_empty_buffer_reads_as_empty)
{
    CLEANUP(buf_clear) struct buf buf = BUF(8);

    assert_string_equal(buf_str(&buf), "");
    assert_int_equal(buf_slice(&buf).len, 0);
    buf_clear(&buf);
    buf_clear(&buf);
}

TEST(putting_nothing_is_fine)
{
    CLEANUP(buf_clear) struct buf buf = BUF(0);

    assert_ok(buf_put(&buf, (struct slice){ NULL, 0 }, NULL));
    assert_ok(buf_puts(&buf, "", NULL));
    assert_string_equal(buf_str(&buf), "");
}

TEST(puts_one_after_the_other)
{
    CLEANUP(buf_clear) struct buf buf = BUF(64);

    assert_ok(buf_puts(&buf, "one", NULL));
    assert_ok(buf_putc(&buf, ' ', NULL));
    assert_ok(buf_put(&buf, SLICE("t\0o"), NULL));
    assert_true(slice_equal(buf_slice(&buf), SLICE("one t\0o")));
    assert_int_equal(buf.data[buf.len], 0);
}

TEST(keeps_its_cap_when_cleared)
{
    CLEANUP(buf_clear) struct buf buf = BUF(3);

    assert_ok(buf_puts(&buf, "abc", NULL));
    buf_clear(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.max, 3);
    assert_int_equal(buf_puts(&buf, "abcd", NULL), KEYSTAY_E_NO_MEMORY);
    assert_ok(buf_puts(&buf, "abc", NULL));
}

TEST(keeps_its_bytes_when_it_grows)
{
    CLEANUP(buf_clear) struct buf buf = BUF(100000);

    for (int i = 0; i < 100000; i++) {
        assert_ok(buf_putc(&buf, (char)('a' + i % 26), NULL));
        assert_int_equal(buf.data[buf.len], 0);
    }
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(buf.data[i], 'a' + i % 26);
    }
}

TEST(holds_its_cap_and_not_a_byte_more)
{
    CLEANUP(buf_clear) struct buf buf = BUF(256);
    struct keystay_error err;

    for (int i = 0; i < 256; i++) {
        assert_ok(buf_putc(&buf, 'x', NULL));
    }
    assert_int_equal(buf_putc(&buf, 'y', &err), KEYSTAY_E_NO_MEMORY);
    assert_contains(err.message, "256");
    assert_int_equal(buf.len, 256);
    assert_int_equal(strlen(buf_str(&buf)), 256);
}

TEST(a_refused_put_leaves_it_as_it_was)
{
    CLEANUP(buf_clear) struct buf buf = BUF(4);

    assert_ok(buf_puts(&buf, "abc", NULL));
    assert_int_equal(buf_puts(&buf, "de", NULL), KEYSTAY_E_NO_MEMORY);
    assert_buf(&buf, "abc");
    assert_ok(buf_puts(&buf, "d", NULL));
    assert_buf(&buf, "abcd");
}

TEST(a_length_that_would_wrap_around_is_refused)
{
    CLEANUP(buf_clear) struct buf buf = BUF(16);
    const uint8_t byte = 'x';

    assert_ok(buf_puts(&buf, "abc", NULL));
    assert_int_equal(buf_put(&buf, (struct slice){ &byte, SIZE_MAX }, NULL), KEYSTAY_E_NO_MEMORY);
    assert_int_equal(buf_put(&buf, (struct slice){ &byte, SIZE_MAX - 2 }, NULL), KEYSTAY_E_NO_MEMORY);
    assert_buf(&buf, "abc");
}

TEST(slices_compare_by_length_and_bytes)
{
    assert_true(slice_equal((struct slice){ NULL, 0 }, SLICE("")));
    assert_true(slice_equal(SLICE("a\0b"), SLICE("a\0b")));
    assert_false(slice_equal(SLICE("a\0b"), SLICE("a\0c")));
    assert_false(slice_equal(SLICE("ab"), SLICE("abc")));
    assert_int_equal(slice_of_str(NULL).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_reads_as_empty),
        cmocka_unit_test(putting_nothing_is_fine),
        cmocka_unit_test(puts_one_after_the_other),
        cmocka_unit_test(keeps_its_cap_when_cleared),
        cmocka_unit_test(keeps_its_bytes_when_it_grows),
        cmocka_unit_test(holds_its_cap_and_not_a_byte_more),
        cmocka_unit_test(a_refused_put_leaves_it_as_it_was),
        cmocka_unit_test(a_length_that_would_wrap_around_is_refused),
        cmocka_unit_test(slices_compare_by_length_and_bytes),
    };

    return RUN_TESTS(tests);
}
