/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <limits.h>
#include <stdio.h>

#include "base/base.h"
#include "oauth/entra_advice.h"

TEST(without_a_number_there_is_nothing_to_say)
{
    assert_null(entra_advice(0, ""));
    assert_null(entra_advice(0, "AADSTS700027: Thumbprint of key used by client: 'x'"));
    assert_null(entra_advice(-700027, ""));
    assert_null(entra_advice(999999999, ""));
    assert_null(entra_advice(INT_MAX, ""));
    assert_null(entra_advice(INT_MIN, ""));
}

TEST(reads_the_number_from_the_codes_or_the_text)
{
    static const struct {
        int64_t first_code;
        const char *description;
        int number;
    } rows[] = {
        { 700027, "", 700027 },
        { 700027, "AADSTS90002: something else", 700027 }, /* the member is made for programs */
        { 0, "AADSTS700027: Client assertion failed", 700027 },
        { 0, "AADSTS7000215", 7000215 },
        { 0, "AADSTS50034: no such user", 50034 },
        { -1, "AADSTS50034: no such user", 50034 },
        { 0, "", 0 },
        { 0, "invalid client", 0 },
        { 0, "AADSTS", 0 },
        { 0, "AADSTS: x", 0 },
        { 0, "aadsts700027", 0 },
        { 0, "see AADSTS700027", 0 },
        { 0, "AADST700027", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(
            entra_error_number(rows[i].first_code, rows[i].description) == rows[i].number,
            rows[i].description);
    }
}

TEST(the_common_troubles_have_an_advice)
{
    static const struct {
        int number;
        const char *part;
    } rows[] = {
        { 700024, "clock" },
        { 700027, "upload this certificate" },
        { 700016, "--client-id" },
        { 90002, "--tenant" },
        { 700023, "--audience" },
        { 7000112, "disabled" },
        { 70011, "--scope" },
        { 500011, "App ID URI" },
        { 65001, "administrator" },
        { 53003, "Conditional Access" },
        { 90033, "again in a minute" },
        { 50196, "keep tokens" },
        { 700025, "public client" },
        { 900382, "--authority" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *advice = entra_advice(rows[i].number, "");
        assert_row(advice != NULL, rows[i].part);
        assert_contains(advice, rows[i].part);
    }
}

/* One number, two troubles: the certificate is not registered, or it is and another key has signed. */
TEST(the_text_tells_two_troubles_of_one_number_apart)
{
    const char *not_registered = entra_advice(
        700027, "AADSTS700027: The certificate with identifier used to sign the client assertion is not "
                "registered. [Reason - The key was not found., Thumbprint of key used by client: '84E0']");
    const char *other_key = entra_advice(
        700027, "AADSTS700027: Client assertion failed signature validation. [Reason - Key was found, but "
                "use of the key to verify the signature failed.]");
    const char *unknown = entra_advice(700027, "AADSTS700027: something new");

    assert_contains(not_registered, "upload");
    assert_contains(other_key, "--key");
    assert_string_equal(unknown, not_registered);
}

TEST(every_advice_is_fit_for_a_hint)
{
    static const struct {
        int from, to;
    } ranges[] = { { 1, 1100000 }, { 5002700, 5002799 }, { 7000100, 7000299 }, { 9001000, 9001099 } };
    size_t n_advices = 0;

    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        for (int number = ranges[i].from; number <= ranges[i].to; number++) {
            const char *advice = entra_advice(number, "");
            if (advice != NULL) {
                n_advices++;
                assert_tame(advice);
                assert_in_range(strlen(advice), 10, 200);
            }
        }
    }
    assert_in_range(n_advices, 40, 200);
}

TEST(numbers_fit_an_int)
{
    assert_int_equal(entra_error_number(INT_MAX, ""), INT_MAX);
    assert_int_equal(entra_error_number((int64_t)INT_MAX + 1, ""), 0);
    assert_int_equal(entra_error_number(INT64_MAX, ""), 0);
    assert_int_equal(entra_error_number(INT64_MIN, ""), 0);
    assert_int_equal(entra_error_number(0, "AADSTS2147483647: x"), INT_MAX);
    assert_int_equal(entra_error_number(0, "AADSTS2147483648: x"), 0);
}

TEST(a_hostile_text_is_no_number)
{
    static const char *const descriptions[] = {
        "AADSTS-1", "AADSTS-700027", "AADSTS99999999999999999999999999", "AADSTS0", "AADSTSx", "AADSTS\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(descriptions); i++) {
        assert_row(entra_error_number(0, descriptions[i]) == 0, descriptions[i]);
    }
}

TEST(the_servers_clock_is_read_from_the_text)
{
    static const char text[] =
        "AADSTS700024: Client assertion is not within its valid time range. Current time: "
        "2021-05-21T06:12:24.4367117Z, expiry time of assertion 2021-05-21T06:10:34.0000000Z.";
    static const char *const none[] = {
        "",
        "Current time:",
        "Current time: ",
        "Current time: now",
        "Current time: 2021-05-21",
        "Current time: 2021-05-21T06:12:2",
        "Current time: 2021-05-21 06:12:24",
        "Current time: -021-05-21T06:12:24",
    };
    int64_t time_s = 0;

    assert_true(entra_server_time(text, &time_s));
    assert_int_equal(time_s, 1621577544);
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        time_s = 7;
        assert_row(!entra_server_time(none[i], &time_s), none[i]);
        assert_int_equal(time_s, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_number_there_is_nothing_to_say),
        cmocka_unit_test(reads_the_number_from_the_codes_or_the_text),
        cmocka_unit_test(the_common_troubles_have_an_advice),
        cmocka_unit_test(the_text_tells_two_troubles_of_one_number_apart),
        cmocka_unit_test(every_advice_is_fit_for_a_hint),
        cmocka_unit_test(numbers_fit_an_int),
        cmocka_unit_test(a_hostile_text_is_no_number),
        cmocka_unit_test(the_servers_clock_is_read_from_the_text),
    };

    return RUN_TESTS(tests);
}
