/* SPDX-License-Identifier: Apache-2.0 */
#include "http/date.h"

#include <string.h>
#include <time.h>

#include "base/base.h"
#include "base/str.h"

enum { RETRY_AFTER_MAX_S = 10 * 366 * 86400, CENTURY_TURN = 70 };

/*
 * One letter a part, everything else stands for itself: a, A: the day's name, short or whole; d: day, two
 * digits; e: the same, a blank for the first digit of one; b: month; Y, y: year, four digits or two; T: time.
 */
static const char *const forms[] = {
    "a, d b Y T GMT", /* IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT */
    "A, d-b-y T GMT", /* RFC 850: Sunday, 06-Nov-94 08:49:37 GMT */
    "a b e T Y",      /* asctime: Sun Nov  6 08:49:37 1994 */
};

static const char *const days[] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
                                    "Thursday", "Friday", "Saturday" };
static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

/* Each moves *at behind what it took, or says no. */
static bool take_digits(const char **at, size_t n, int *ret_number)
{
    int number = 0;

    for (size_t i = 0; i < n; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9') {
            return false;
        }
        number = number * 10 + (c - '0');
    }
    *at += n;
    *ret_number = number;
    return true;
}

/* One of the names, or their first len letters where len is not 0. */
static bool take_name(const char **at, const char *const *names, size_t n, size_t len, int *ret_index)
{
    for (size_t i = 0; i < n; i++) {
        size_t name_len = len == 0 ? strlen(names[i]) : len;
        if (strncmp(*at, names[i], name_len) == 0) {
            *at += name_len;
            *ret_index = (int)i;
            return true;
        }
    }
    return false;
}

static bool take_text(const char **at, char c)
{
    return *(*at)++ == c;
}

static bool take_time(const char **at, struct tm *time)
{
    return take_digits(at, 2, &time->tm_hour) && take_text(at, ':') && take_digits(at, 2, &time->tm_min) &&
           take_text(at, ':') && take_digits(at, 2, &time->tm_sec);
}

static bool take_year(const char **at, size_t n_digits, struct tm *time)
{
    int year = 0;

    if (!take_digits(at, n_digits, &year)) {
        return false;
    }
    time->tm_year = n_digits == 4 ? year - 1900 : (year < CENTURY_TURN ? year + 100 : year);
    return true;
}

static bool take_part(const char **at, char part, struct tm *time)
{
    int ignored = 0;

    switch (part) {
    case 'a':
        return take_name(at, days, ARRAY_LEN(days), 3, &ignored);
    case 'A':
        return take_name(at, days, ARRAY_LEN(days), 0, &ignored);
    case 'b':
        return take_name(at, months, ARRAY_LEN(months), 3, &time->tm_mon);
    case 'd':
        return take_digits(at, 2, &time->tm_mday);
    case 'e':
        return **at == ' ' ? take_text(at, ' ') && take_digits(at, 1, &time->tm_mday)
                           : take_digits(at, 2, &time->tm_mday);
    case 'Y':
        return take_year(at, 4, time);
    case 'y':
        return take_year(at, 2, time);
    case 'T':
        return take_time(at, time);
    default:
        return take_text(at, part);
    }
}

/* GMT's letters are parts of no form: they come last, as one word. */
static bool matches(const char *text, const char *form, struct tm *time)
{
    static const char zone[] = "GMT";

    for (; *form != '\0'; form++) {
        if (str_equal(form, zone)) {
            return str_equal(text, zone);
        }
        if (!take_part(&text, *form, time)) {
            return false;
        }
    }
    return *text == '\0';
}

bool http_date_parse(const char *text, int64_t *ret_time_s)
{
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct tm time = { 0 };

        if (!matches(text, forms[i], &time)) {
            continue;
        }
        struct tm day = { .tm_year = time.tm_year, .tm_mon = time.tm_mon, .tm_mday = time.tm_mday };
        int64_t midnight_s = timegm(&day);
        /* timegm makes 1 March of 29 February where there is none. Second 60 is a leap second. */
        if (day.tm_mday != time.tm_mday || time.tm_hour > 23 || time.tm_min > 59 || time.tm_sec > 60) {
            return false;
        }
        *ret_time_s = midnight_s + ((int64_t)time.tm_hour * 60 + time.tm_min) * 60 + time.tm_sec;
        return true;
    }
    return false;
}

bool http_retry_after_parse(const char *text, int64_t now_s, int64_t server_now_s, int64_t *ret_until_s)
{
    uint64_t delay_s = 0;
    int64_t date_s = 0;

    if (str_parse_u64(text, 0, RETRY_AFTER_MAX_S, &delay_s, NULL) == KEYSTAY_OK) {
        *ret_until_s = now_s + (int64_t)delay_s;
        return true;
    }
    if (http_date_parse(text, &date_s)) {
        *ret_until_s = now_s + (date_s - server_now_s);
        return true;
    }
    return false;
}
