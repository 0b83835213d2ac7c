/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "oauth/access_token.h"

TEST(freeing_nothing_is_fine)
{
    struct keystay_token *token = NULL;

    keystay_token_free(NULL);
    token_freep(&token);
}

TEST(a_new_one_is_empty)
{
    CLEANUP(token_freep) struct keystay_token *token = NULL;

    assert_ok(token_new(&token, NULL));
    assert_string_equal(keystay_token_value(token), "");
    assert_int_equal(keystay_token_expires_at_s(token), 0);
}

TEST(tells_its_value_and_end)
{
    CLEANUP(token_freep) struct keystay_token *token = NULL;

    assert_ok(token_new(&token, NULL));
    assert_ok(secret_set(&token->value, SLICE("eyJ.x.y"), NULL));
    token->expires_at_s = 4102444800; /* past 2^31 */
    assert_string_equal(keystay_token_value(token), "eyJ.x.y");
    assert_int_equal(keystay_token_expires_at_s(token), 4102444800);
    assert_ptr_equal(keystay_token_value(token), token->value.data); /* no copy outside of the secret */
}

TEST(freeing_by_pointer_forgets_it)
{
    struct keystay_token *token = NULL;

    assert_ok(token_new(&token, NULL));
    assert_ok(secret_set(&token->value, SLICE("eyJ.x.y"), NULL));
    token_freep(&token);
    assert_null(token);
}

TEST(it_lives_as_long_as_its_last_holder)
{
    struct keystay_token *token = NULL;

    assert_ok(token_new(&token, NULL));
    assert_ok(secret_set(&token->value, SLICE("eyJ.x.y"), NULL));
    assert_ptr_equal(token_share(token), token);
    keystay_token_free(token);
    assert_string_equal(keystay_token_value(token), "eyJ.x.y");
    keystay_token_free(token);
}

TEST(only_what_a_header_may_hold_is_a_token)
{
    static const struct {
        struct slice value;
        bool is_good;
    } rows[] = {
        { { (const uint8_t *)"a", 1 }, true },      { { (const uint8_t *)"!~", 2 }, true },
        { { (const uint8_t *)"", 0 }, false },      { { (const uint8_t *)"a b", 3 }, false },
        { { (const uint8_t *)"a\nb", 3 }, false },  { { (const uint8_t *)"a\0b", 3 }, false },
        { { (const uint8_t *)"a\x7f", 2 }, false }, { { (const uint8_t *)"\xc3\xa9", 2 }, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(secret_clear) struct secret value = { 0 };

        assert_ok(secret_set(&value, rows[i].value, NULL));
        assert_int_equal(token_check_value(&value, NULL) == KEYSTAY_OK, rows[i].is_good);
    }
}

TEST(how_long_it_lives_on_by_whatever_clock)
{
    static const struct {
        struct clock_moment now;
        int64_t left_s;
    } rows[] = {
        { { 1000, 500 }, 3600 },
        { { 4599, 500 }, 1 },
        { { 4600, 500 }, 0 },
        { { 4601, 500 }, -1 },
        { { 3000 - 60, 500 - 60 }, 1600 }, /* set back: as if it had not been */
        { { 3000 - 61, 500 - 61 }, 0 },    /* by more: whoever was told its end has a wrong one */
        { { 3000 - 86400, 500 - 86400 }, 0 },
        { { 3000 + 600, 500 + 600 }, 1000 }, /* set forward: time that has passed */
        { { 3000 + 86400, 500 + 86400 }, 1600 - 86400 },
    };
    struct keystay_token token = { .obtained_at_s = 1000, .expires_at_s = 4600, .lead_s = 500 };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(token_left_s(&token, rows[i].now), rows[i].left_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(a_new_one_is_empty),
        cmocka_unit_test(tells_its_value_and_end),
        cmocka_unit_test(freeing_by_pointer_forgets_it),
        cmocka_unit_test(it_lives_as_long_as_its_last_holder),
        cmocka_unit_test(only_what_a_header_may_hold_is_a_token),
        cmocka_unit_test(how_long_it_lives_on_by_whatever_clock),
    };

    return RUN_TESTS(tests);
}
