/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "crypto/alg.h"

TEST(auto_is_no_algorithm)
{
    assert_null(alg_by_id(KEYSTAY_ALG_AUTO));
    assert_null(alg_by_name("auto"));
    assert_null(alg_by_id((enum keystay_alg)99));
}

TEST(knows_its_algorithms_by_id_and_name)
{
    static const struct {
        enum keystay_alg id;
        const char *name;
        enum alg_family family;
    } rows[] = {
        { KEYSTAY_ALG_RS256, "RS256", ALG_RSA_PKCS1 },
        { KEYSTAY_ALG_PS256, "PS256", ALG_RSA_PSS },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct alg *alg = alg_by_name(rows[i].name);
        assert_non_null(alg);
        assert_ptr_equal(alg_by_id(rows[i].id), alg);
        assert_string_equal(alg->name, rows[i].name);
        assert_int_equal(alg->family, rows[i].family);
        assert_string_equal(alg->digest, "SHA256");
        assert_int_equal(alg->digest_len, 32);
        assert_true(alg->digest_len <= ALG_DIGEST_MAX);
    }
    assert_int_equal(ALG_RSA_BITS_MIN, 2048);
}

TEST(each_algorithm_has_a_bit_of_its_own)
{
    assert_int_equal(ALG_BIT(KEYSTAY_ALG_RS256) & ALG_BIT(KEYSTAY_ALG_PS256), 0);
    assert_int_equal(ALG_BIT(KEYSTAY_ALG_AUTO) & ALG_BIT(KEYSTAY_ALG_RS256), 0);
}

/* Names are compared to the letter (RFC 7518 §3.1), and neither "none" nor HMAC must ever be an option. */
TEST(other_spellings_and_algorithms_are_unknown)
{
    static const char *const names[] = {
        "", "none", "None", "NONE", "rs256", "RS256 ", " RS256", "RS25", "RS2567", "HS256", "ES512", "RSA",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_row(alg_by_name(names[i]) == NULL, names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auto_is_no_algorithm),
        cmocka_unit_test(knows_its_algorithms_by_id_and_name),
        cmocka_unit_test(each_algorithm_has_a_bit_of_its_own),
        cmocka_unit_test(other_spellings_and_algorithms_are_unknown),
    };

    return RUN_TESTS(tests);
}
