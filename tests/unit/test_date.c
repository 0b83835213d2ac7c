/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdbool.h>

#include "http/date.h"

enum { RFC_S = 784111777 }; /* RFC 9110 §5.6.7: Sun, 06 Nov 1994 08:49:37 GMT */

TEST(the_three_forms_of_the_standard)
{
    static const struct {
        const char *text;
        int64_t time_s;
    } rows[] = {
        { "Sun, 06 Nov 1994 08:49:37 GMT", RFC_S },
        { "Sunday, 06-Nov-94 08:49:37 GMT", RFC_S },
        { "Sun Nov  6 08:49:37 1994", RFC_S },
        { "Wed Nov 16 08:49:37 1994", RFC_S + 10 * 86400 },
        { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
        { "Thu, 29 Feb 2024 23:59:59 GMT", 1709251199 },
        { "Fri, 31 Dec 1999 23:59:60 GMT", 946684800 }, /* a leap second */
        { "Monday, 30-Nov-26 00:00:00 GMT", 1795996800 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t time_s = -1;
        assert_row(http_date_parse(rows[i].text, &time_s), rows[i].text);
        if (time_s != rows[i].time_s) {
            fail_msg("%s: %lld", rows[i].text, (long long)time_s);
        }
    }
}

TEST(what_is_not_a_date_is_none)
{
    static const char *const rows[] = {
        "",
        " ",
        "0",
        "now",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "sun, 06 nov 1994 08:49:37 GMT", /* HTTP-date is case-sensitive */
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 2024 08:49:37 GMT",
        "Thu, 29 Feb 2023 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov -994 08:49:37 GMT",
        "Sun, 06 Nov 99994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 06 08:49:37 1994 GMT",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:3",
        "Sun,",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t time_s = 5;
        assert_row(!http_date_parse(rows[i], &time_s), rows[i]);
        assert_int_equal(time_s, 5);
    }
}

/* A date is compared with the server's own clock, so that a wrong one here does not lengthen the wait. */
TEST(retry_after_is_seconds_or_a_date)
{
    static const struct {
        const char *text;
        int64_t now_s, server_now_s;
        int64_t until_s; /* -1: it is neither */
    } rows[] = {
        { "0", 1000, 1000, 1000 },
        { "120", 1000, 1000, 1120 },
        { "120", 1000, 9000, 1120 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", RFC_S - 30, RFC_S - 30, RFC_S },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 1000, RFC_S - 30, 1030 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 1000, RFC_S + 30, 970 },
        { "", 1000, 1000, -1 },
        { "-1", 1000, 1000, -1 },
        { "1.5", 1000, 1000, -1 },
        { "soon", 1000, 1000, -1 },
        { "99999999999999999999", 1000, 1000, -1 },
        { "9999999999", 1000, 1000, -1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t until_s = -1;
        bool is_one = http_retry_after_parse(rows[i].text, rows[i].now_s, rows[i].server_now_s, &until_s);
        assert_row(is_one == (rows[i].until_s >= 0) && until_s == rows[i].until_s, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_three_forms_of_the_standard),
        cmocka_unit_test(what_is_not_a_date_is_none),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
    };

    return RUN_TESTS(tests);
}
