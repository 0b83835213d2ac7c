/* SPDX-License-Identifier: Apache-2.0 */
/* What is tried again, and a server's wish to be left alone. */
#include "unit.h"

#include "core/retry.h"
#include "core/throttle.h"

enum { NOW_S = 784111777 - 30 }; /* half a minute before the date of RFC 9110 §5.6.7 */

TEST(only_what_passes_is_tried_again)
{
    static const struct {
        enum keystay_status status;
        int http_status;
        bool may_help;
    } rows[] = {
        { KEYSTAY_E_NETWORK, 0, true },
        { KEYSTAY_E_TIMEOUT, 408, true },
        { KEYSTAY_E_THROTTLED, 429, true },
        { KEYSTAY_E_SERVER_DOWN, 500, true },
        { KEYSTAY_E_SERVER_DOWN, 599, true },
        { KEYSTAY_E_TIMEOUT, 0, false }, /* the time is over */
        { KEYSTAY_E_TLS, 0, false },
        { KEYSTAY_E_SERVER_RESPONSE, 0, false },
        { KEYSTAY_E_SERVER_REFUSED, 400, false },
        { KEYSTAY_E_SERVER_REFUSED, 401, false },
        { KEYSTAY_E_SERVER_RESPONSE, 404, false },
        { KEYSTAY_E_SERVER_RESPONSE, 200, false },
        { KEYSTAY_E_SERVER_RESPONSE, 302, false },
        { KEYSTAY_E_SERVER_RESPONSE, 600, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(
            retry_may_help(rows[i].status, rows[i].http_status) == rows[i].may_help,
            keystay_status_name(rows[i].status));
    }
}

/* Full jitter: from nothing to the whole, and the whole doubles up to a limit. */
TEST(pauses_grow_and_are_random)
{
    static const int64_t longest_ms[] = { 250, 500, 1000, 2000, 4000, 8000, 8000, 8000 };

    for (unsigned int n = 1; n <= ARRAY_LEN(longest_ms); n++) {
        int64_t most_ms = 0;
        for (uint32_t random = 0; random < 20000; random++) {
            int64_t delay_ms = retry_delay_ms(n, random);
            most_ms = delay_ms > most_ms ? delay_ms : most_ms;
            assert_in_range(delay_ms, 0, longest_ms[n - 1]);
        }
        assert_int_equal(most_ms, longest_ms[n - 1]);
        assert_int_equal(retry_delay_ms(n, 0), 0);
    }
    assert_in_range(retry_delay_ms(1000000, UINT32_MAX), 0, RETRY_LONGEST_MS);
}

TEST(an_answer_is_asked_for_how_long_to_wait)
{
    static const struct {
        int status;
        const char *retry_after, *date;
        int64_t wait_s; /* 0: not at all */
    } rows[] = {
        { 429, "5", "", 5 },
        { 503, "5", "Sun, 06 Nov 1994 08:49:37 GMT", 5 },
        { 429, "Sun, 06 Nov 1994 08:49:37 GMT", "", 30 },
        { 429, "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:07 GMT", 30 },
        { 429, "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:35 GMT", 2 },
        { 429, "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 0 },
        { 429, "Sun, 06 Nov 1994 08:49:37 GMT", "rubbish", 30 },
        { 429, "3600", "", 3600 },
        { 429, "86400", "", THROTTLE_LONGEST_S },
        { 429, "0", "", 0 },
        { 429, "", "", 0 },
        { 429, "soon", "", 0 },
        { 200, "5", "", 0 },
        { 302, "5", "", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_response response = { .status = rows[i].status };
        int64_t until_s = 0;

        memcpy(response.retry_after, rows[i].retry_after, strlen(rows[i].retry_after));
        memcpy(response.date, rows[i].date, strlen(rows[i].date));
        assert_row(throttle_read(&response, NOW_S, &until_s) == (rows[i].wait_s > 0), rows[i].retry_after);
        assert_row(rows[i].wait_s == 0 || until_s == NOW_S + rows[i].wait_s, rows[i].retry_after);
    }
}

TEST(the_later_moment_counts_until_it_is_over)
{
    static const struct clock_moment now = { NOW_S, 5000 };
    static const struct clock_moment before = { NOW_S + 19, 5000 };
    static const struct clock_moment then = { NOW_S + 20, 5000 };
    struct throttle throttle;

    throttle_init(&throttle);
    assert_int_equal(throttle_until_s(&throttle, now), 0);
    throttle_note(&throttle, NOW_S + 20, 5000);
    throttle_note(&throttle, NOW_S + 10, 5000);
    assert_int_equal(throttle_until_s(&throttle, now), NOW_S + 20);
    assert_int_equal(throttle_until_s(&throttle, before), NOW_S + 20);
    assert_int_equal(throttle_until_s(&throttle, then), 0);
    throttle_clear(&throttle);
}

TEST(setting_the_clock_changes_nothing_of_it)
{
    static const int64_t set_by_s[] = { -NOW_S, -86400, -1, 86400, 50LL * 365 * 86400 };
    struct throttle throttle;

    throttle_init(&throttle);
    throttle_note(&throttle, NOW_S + 20, 5000);
    for (size_t i = 0; i < ARRAY_LEN(set_by_s); i++) {
        const struct clock_moment before = { NOW_S + set_by_s[i] + 19, 5000 + set_by_s[i] };
        const struct clock_moment then = { NOW_S + set_by_s[i] + 20, 5000 + set_by_s[i] };

        assert_int_equal(throttle_until_s(&throttle, before), NOW_S + set_by_s[i] + 20);
        assert_int_equal(throttle_until_s(&throttle, then), 0);
    }
    throttle_clear(&throttle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_passes_is_tried_again),
        cmocka_unit_test(pauses_grow_and_are_random),
        cmocka_unit_test(an_answer_is_asked_for_how_long_to_wait),
        cmocka_unit_test(the_later_moment_counts_until_it_is_over),
        cmocka_unit_test(setting_the_clock_changes_nothing_of_it),
    };

    return RUN_TESTS(tests);
}
