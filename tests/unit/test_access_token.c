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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(a_new_one_is_empty),
        cmocka_unit_test(tells_its_value_and_end),
        cmocka_unit_test(freeing_by_pointer_forgets_it),
    };

    return RUN_TESTS(tests);
}
