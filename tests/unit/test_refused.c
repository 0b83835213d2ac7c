/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "agent/refused.h"

enum { NOW_S = 1000000, LEAD_S = 900000 };

/* SHA-256 of "abc" (FIPS 180-2, B.1). */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct keystay_token *token_of(int64_t obtained_at_s)
{
    struct keystay_token *token = NULL;

    assert_ok(token_new(&token, NULL));
    assert_ok(secret_set(&token->value, SLICE("abc"), NULL));
    token->obtained_at_s = obtained_at_s;
    token->lead_s = LEAD_S;
    return token;
}

static const struct row {
    const char *name;
    int64_t age_s;
    const char *hex;
    enum refused_verdict verdict;
} rows[] = {
    { "none was refused", 100, NULL, REFUSED_IS_ANOTHER },
    { "another one", 100, "ca7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      REFUSED_IS_ANOTHER },
    { "a part of the digest", 100, "ba7816bf", REFUSED_IS_ANOTHER },
    { "more than the digest", 100, ABC "00", REFUSED_IS_ANOTHER },
    { "the token itself", 100, "abc", REFUSED_IS_ANOTHER },
    { "nothing", 100, "", REFUSED_IS_ANOTHER },
    { "this one", 100, ABC, REFUSED_IS_OLD },
    { "this one, in capitals", 100, "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
      REFUSED_IS_OLD },
    { "just got", 0, ABC, REFUSED_IS_YOUNG },
    { "almost old enough", REFUSED_YOUNG_S - 1, ABC, REFUSED_IS_YOUNG },
    { "just old enough", REFUSED_YOUNG_S, ABC, REFUSED_IS_OLD },
    { "another one, just got", 0, "", REFUSED_IS_ANOTHER },
};

TEST(what_is_held_is_judged_by_its_digest_and_its_age)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(token_freep) struct keystay_token *token = token_of(NOW_S - rows[i].age_s);

        assert_row(
            refused_judge(token, rows[i].hex, (struct clock_moment){ NOW_S, LEAD_S }) == rows[i].verdict,
            rows[i].name);
    }
}

/* The story: the clock was set back by half a minute, and a token that had just been got was renewed at once,
 * for whoever said that it was refused. */
TEST(a_clock_that_is_set_makes_no_token_older_or_younger)
{
    static const int64_t set_by_s[] = { -30, -60, -1, 0, 1, 30, 3600 };
    CLEANUP(token_freep) struct keystay_token *token = token_of(NOW_S);

    for (size_t i = 0; i < ARRAY_LEN(set_by_s); i++) {
        struct clock_moment now = { NOW_S + set_by_s[i], LEAD_S + set_by_s[i] };

        assert_int_equal(refused_judge(token, ABC, now), REFUSED_IS_YOUNG);
        now.now_s += REFUSED_YOUNG_S;
        assert_int_equal(refused_judge(token, ABC, now), REFUSED_IS_OLD);
    }
}

TEST(where_none_is_held_it_is_another)
{
    const struct clock_moment now = { NOW_S, LEAD_S };

    assert_int_equal(refused_judge(NULL, ABC, now), REFUSED_IS_ANOTHER);
    assert_int_equal(refused_judge(NULL, NULL, now), REFUSED_IS_ANOTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_none_is_held_it_is_another),
        cmocka_unit_test(what_is_held_is_judged_by_its_digest_and_its_age),
        cmocka_unit_test(a_clock_that_is_set_makes_no_token_older_or_younger),
    };

    return RUN_TESTS(tests);
}
