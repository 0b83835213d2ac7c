/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

int64_t clock_now_s(void)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

static int64_t read_ms(clockid_t clock)
{
    struct timespec now = { 0 };

    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_boot_ms(void)
{
#ifdef CLOCK_BOOTTIME
    return read_ms(CLOCK_BOOTTIME);
#else
    return read_ms(CLOCK_MONOTONIC);
#endif
}

int64_t clock_lead_s(void)
{
    return (read_ms(CLOCK_REALTIME) - clock_boot_ms()) / 1000;
}

struct clock_moment clock_moment(void)
{
    return (struct clock_moment){ clock_now_s(), clock_lead_s() };
}

void clock_format_utc(int64_t time_s, char ret_text[CLOCK_TEXT_SIZE])
{
    time_t time = (time_t)time_s;
    struct tm parts;

    if (gmtime_r(&time, &parts) == NULL ||
        strftime(ret_text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        (void)snprintf(ret_text, CLOCK_TEXT_SIZE, "far away");
    }
}

/* A unit is taken from two of it on: "90 minutes" says more than "1 hour". */
void clock_format_distance(int64_t time_s, int64_t now_s, char ret_text[CLOCK_DISTANCE_SIZE])
{
    static const struct {
        int64_t len_s;
        const char *name;
    } units[] = {
        { 365LL * 86400, "years" }, { 86400, "days" }, { 3600, "hours" }, { 60, "minutes" }, { 1, "seconds" },
    };
    const bool is_past = time_s < now_s;
    const int64_t distance_s = is_past ? now_s - time_s : time_s - now_s;
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(units) && distance_s < 2 * units[i].len_s) {
        i++;
    }
    if (distance_s == 0) {
        (void)snprintf(ret_text, CLOCK_DISTANCE_SIZE, "now");
        return;
    }
    (void)snprintf(
        ret_text, CLOCK_DISTANCE_SIZE, "%s%" PRId64 " %s%s", is_past ? "" : "in ",
        distance_s / units[i].len_s, distance_s == 1 ? "second" : units[i].name, is_past ? " ago" : "");
}
