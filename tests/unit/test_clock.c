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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_the_time_of_day),
        cmocka_unit_test(the_other_clock_never_steps_back),
        cmocka_unit_test(formats_utc_whatever_the_time_zone),
    };

    return RUN_TESTS(tests);
}
