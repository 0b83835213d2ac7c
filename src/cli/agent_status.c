/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/agent_status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

enum { LINE_SIZE = 2048, NAME_SIZE = 72, STATE_SIZE = 16 };

__attribute__((format(printf, 2, 3))) static enum keystay_status put(struct buf *to, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    str_tidy(line);
    return buf_puts(to, line, NULL);
}

static long long number(const struct json *json, const char *name)
{
    int64_t value = 0;

    (void)(json_get_i64(json, name, &value, NULL) == KEYSTAY_OK);
    return value;
}

/* "" when it is not there. */
static void text(const struct json *json, const char *name, char *ret_text, size_t size)
{
    const char *found = json_str_or_null(json, name);

    str_quote_foreign(slice_of_str(found == NULL ? "" : found), ret_text, size);
}

/* NULL when it is none. */
static const struct json *first_of(const struct json *json, const char *name)
{
    const struct json *list = json_member(json, name);

    return list != NULL && json_type(list) == JSON_ARRAY ? json_first(list) : NULL;
}

static enum keystay_status put_head(const struct json *status, struct buf *to)
{
    char version[NAME_SIZE];
    char since[CLOCK_TEXT_SIZE];
    const char *before = "listening: ";

    text(status, "version", version, sizeof(version));
    clock_format_utc(number(status, "started"), since);
    TRY(put(to, "keystay-agent %s, process %lld, since %s\n", version, number(status, "pid"), since));
    for (const struct json *at = first_of(status, "listening"); at != NULL; at = json_next(at)) {
        if (json_type(at) == JSON_STRING) {
            TRY(put(to, "%s%s", before, json_text(at)));
            before = ", ";
        }
    }
    return buf_putc(to, '\n', NULL);
}

static enum keystay_status put_requests(const struct json *status, struct buf *to)
{
    const struct json *requests = json_member(status, "requests");

    if (requests == NULL || json_type(requests) != JSON_OBJECT) {
        return KEYSTAY_OK;
    }
    return put(
        to, "requests: %lld served from memory, %lld with a new token, %lld failed, %lld refused; %lld %s\n",
        number(requests, "served_held"), number(requests, "served_new"), number(requests, "failed"),
        number(requests, "refused"), number(status, "connections"),
        number(status, "connections") == 1 ? "connection" : "connections");
}

/* How wide the names are. */
static int width_of(const struct json *status)
{
    int width = (int)strlen("PROFILE");

    for (const struct json *at = first_of(status, "profiles"); at != NULL; at = json_next(at)) {
        char name[NAME_SIZE];

        text(at, "name", name, sizeof(name));
        width = (int)strlen(name) > width ? (int)strlen(name) : width;
    }
    return width;
}

static enum keystay_status put_profile(const struct json *profile, int width, int64_t now_s, struct buf *to)
{
    const int64_t ends_s = number(profile, "certificate_ends");
    char name[NAME_SIZE];
    char state[STATE_SIZE];
    char ends[CLOCK_DISTANCE_SIZE] = "not known yet";
    char error[LINE_SIZE / 2];
    char hint[LINE_SIZE / 2];

    text(profile, "name", name, sizeof(name));
    text(profile, "state", state, sizeof(state));
    text(profile, "error", error, sizeof(error));
    text(profile, "hint", hint, sizeof(hint));
    if (ends_s != 0) {
        clock_format_distance(ends_s, now_s, ends);
    }
    TRY(put(to, "%-*s  %-9s  %6lld  %s\n", width, name, state, number(profile, "tokens"), ends));
    if (error[0] != '\0') {
        TRY(put(to, "  %s\n", error));
    }
    return hint[0] == '\0' ? KEYSTAY_OK : put(to, "  try: %s\n", hint);
}

static enum keystay_status put_profiles(const struct json *status, int64_t now_s, struct buf *to)
{
    const int width = width_of(status);

    TRY(put(to, "\n%-*s  %-9s  %6s  %s\n", width, "PROFILE", "STATE", "TOKENS", "CERTIFICATE ENDS"));
    for (const struct json *at = first_of(status, "profiles"); at != NULL; at = json_next(at)) {
        if (json_type(at) == JSON_OBJECT) {
            TRY(put_profile(at, width, now_s, to));
        }
    }
    return KEYSTAY_OK;
}

enum keystay_status agent_status_write(
    struct slice answer, int64_t now_s, struct buf *ret_text, struct keystay_error *err)
{
    CLEANUP(json_freep) struct json *status = NULL;

    if (json_parse_object(answer, &status, err) != KEYSTAY_OK || !json_has(status, "version")) {
        return err_set(err, KEYSTAY_E_AGENT, "what answers there is no agent: it tells of no version");
    }
    if (put_head(status, ret_text) != KEYSTAY_OK || put_requests(status, ret_text) != KEYSTAY_OK ||
        put_profiles(status, now_s, ret_text) != KEYSTAY_OK) {
        return err_no_memory(err);
    }
    return KEYSTAY_OK;
}
