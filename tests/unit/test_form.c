/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "http/form.h"

TEST(a_value_over_the_cap_is_refused)
{
    CLEANUP(buf_clear) struct buf out = BUF(5);

    assert_int_equal(form_encode(&out, SLICE("a b c"), NULL), KEYSTAY_E_NO_MEMORY);
}

/* RFC 3986 §2.3 for what stands for itself. */
TEST(only_unreserved_characters_stand_for_themselves)
{
    CLEANUP(buf_clear) struct buf out = BUF(1024);

    assert_ok(form_encode(&out, SLICE("azAZ09-._~"), NULL));
    assert_ok(form_encode(&out, SLICE(" &=+%/?#:\r\n"), NULL));
    assert_ok(form_encode(&out, SLICE("\xc3\xa4"), NULL));
    assert_buf(&out, "azAZ09-._~%20%26%3D%2B%25%2F%3F%23%3A%0D%0A%C3%A4");
}

TEST(nothing_is_nothing)
{
    CLEANUP(buf_clear) struct buf out = BUF(16);

    assert_ok(form_encode(&out, SLICE(""), NULL));
    assert_int_equal(out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_over_the_cap_is_refused),
        cmocka_unit_test(only_unreserved_characters_stand_for_themselves),
        cmocka_unit_test(nothing_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
