/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

TEST(tells_the_time_of_day)
{
    int64_t before = time(NULL);
    int64_t now = clock_now_s();

    assert_true(now >= before - 1 && now <= before + 60);
}

TEST(the_other_clock_never_steps_back)
{
    int64_t last = clock_monotonic_ms();

    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_monotonic_ms();
        assert_true(now >= last);
        last = now;
    }
}

TEST(the_one_that_goes_on_while_the_machine_sleeps_is_no_slower)
{
    const int64_t began_ms = clock_boot_ms();
    const int64_t ahead_ms = began_ms - clock_monotonic_ms();

    assert_true(ahead_ms >= -1000);
    for (int i = 0; i < 1000; i++) {
        assert_true(clock_boot_ms() >= began_ms);
    }
    assert_true(clock_boot_ms() - clock_monotonic_ms() >= ahead_ms - 1000);
}

TEST(a_moment_is_one_by_both_clocks)
{
    const struct clock_moment moment = clock_moment();
    const int64_t boot_s = clock_boot_ms() / 1000;

    assert_in_range(moment.now_s, time(NULL) - 60, time(NULL) + 1);
    assert_in_range(moment.now_s - moment.lead_s, boot_s - 60, boot_s + 2);
}

TEST(formats_utc_whatever_the_time_zone)
{
    static const struct {
        int64_t time_s;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00Z" },
        { 951782400, "2000-02-29T00:00:00Z" },
        { 1700000000, "2023-11-14T22:13:20Z" },
        { 4294967296, "2106-02-07T06:28:16Z" },
        { 253402300799, "9999-12-31T23:59:59Z" },
        { 253402300800, "10000-01-01T00:00:00Z" },
        { -1, "1969-12-31T23:59:59Z" },
        { INT64_MAX, "far away" },
        { INT64_MIN, "far away" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[CLOCK_TEXT_SIZE];
        clock_format_utc(rows[i].time_s, text);
        assert_string_equal(text, rows[i].text);
    }
}

TEST(says_in_words_how_far_away_a_time_is)
{
    static const struct {
        int64_t delta_s;
        const char *text;
    } rows[] = {
        { 0, "now" },
        { 1, "in 1 second" },
        { -1, "1 second ago" },
        { 2, "in 2 seconds" },
        { 119, "in 119 seconds" },
        { 120, "in 2 minutes" },
        { 3599, "in 59 minutes" },
        { -7199, "119 minutes ago" },
        { -7200, "2 hours ago" },
        { 172799, "in 47 hours" },
        { 172800, "in 2 days" },
        { 63071999, "in 729 days" },
        { 63072000, "in 2 years" },
        { -(1LL << 40), "34865 years ago" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[CLOCK_DISTANCE_SIZE];
        clock_format_distance(1700000000 + rows[i].delta_s, 1700000000, text);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_the_time_of_day),
        cmocka_unit_test(the_other_clock_never_steps_back),
        cmocka_unit_test(the_one_that_goes_on_while_the_machine_sleeps_is_no_slower),
        cmocka_unit_test(a_moment_is_one_by_both_clocks),
        cmocka_unit_test(formats_utc_whatever_the_time_zone),
        cmocka_unit_test(says_in_words_how_far_away_a_time_is),
    };

    return RUN_TESTS(tests);
}
