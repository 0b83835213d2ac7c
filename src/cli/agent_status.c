/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/agent_status.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/agent_unlock.h"

enum {
    LINE_SIZE = 2048,
    NAME_SIZE = 72,
    STATE_SIZE = 16,
    CALLER_SIZE = 360, /* a user and a unit */
    SCOPE_SIZE = 300,
    ENTRY_SIZE = 4096,   /* of the user database */
    TOKENS_SHOWN_MAX = 8 /* of one profile */
};

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

/* When each token ends. */
static enum keystay_status put_tokens(const struct json *profile, int64_t now_s, struct buf *to)
{
    unsigned int n = 0;

    for (const struct json *at = first_of(profile, "valid_tokens"); at != NULL; at = json_next(at)) {
        char target[SCOPE_SIZE];
        char ends[CLOCK_DISTANCE_SIZE];

        if (json_type(at) == JSON_OBJECT && n++ < TOKENS_SHOWN_MAX) {
            text(at, "for", target, sizeof(target));
            clock_format_distance(number(at, "ends"), now_s, ends);
            TRY(put(to, "  %s: ends %s\n", target, ends));
        }
    }
    return n <= TOKENS_SHOWN_MAX ? KEYSTAY_OK
                                 : put(to, "  and %u more (--format json)\n", n - TOKENS_SHOWN_MAX);
}

/* Where there were any. */
static enum keystay_status put_renewals(const struct json *profile, struct buf *to)
{
    const struct json *renewals = json_member(profile, "renewals");

    if (renewals == NULL || json_type(renewals) != JSON_OBJECT ||
        number(renewals, "done") + number(renewals, "failed") == 0) {
        return KEYSTAY_OK;
    }
    return put(
        to, "  renewed ahead of need: %lld, failed: %lld\n", number(renewals, "done"),
        number(renewals, "failed"));
}

/* Since when no new token can be got, and what that waits for. */
static enum keystay_status put_since(
    const struct json *profile, const char *name, const char *state, int64_t now_s, struct buf *to)
{
    const long long pause_s = number(profile, "tries_again_in");
    const struct json *opening = json_member(profile, "opening");
    char since[CLOCK_DISTANCE_SIZE];

    clock_format_distance(number(profile, "since"), now_s, since);
    if (opening != NULL && json_is_true(opening)) {
        TRY(put(to, "  the token is being opened now\n"));
    }
    if (str_equal(state, "pin wrong") || str_equal(state, "locked")) {
        return put(to, "  since %s; waits for: keystay agent unlock %s\n", since, name);
    }
    if (!str_equal(state, "failing")) {
        return KEYSTAY_OK;
    }
    return pause_s > 0 ? put(to, "  since %s; not tried again for %lld s\n", since, pause_s)
                       : put(to, "  since %s; the next request tries again\n", since);
}

/* What was wrong the last time, where it is not what is wrong now. */
static enum keystay_status put_last_failure(
    const struct json *profile, const char *error, int64_t now_s, struct buf *to)
{
    const struct json *failure = json_member(profile, "last_failure");
    char at[CLOCK_DISTANCE_SIZE];
    char message[LINE_SIZE / 2];

    if (failure == NULL || json_type(failure) != JSON_OBJECT) {
        return KEYSTAY_OK;
    }
    clock_format_distance(number(failure, "at"), now_s, at);
    text(failure, "message", message, sizeof(message));
    return str_equal(message, error) ? KEYSTAY_OK : put(to, "  last failure, %s: %s\n", at, message);
}

/* What the token has said of the tries that are left, when it was asked. */
static enum keystay_status put_pin(const struct json *profile, struct buf *to)
{
    const struct json *pin = json_member(profile, "pin");
    const char *words = pin == NULL ? "" : pin_tries_words(agent_read_tries(pin));

    return words[0] == '\0' ? KEYSTAY_OK : put(to, "  PIN: %s\n", words);
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
    TRY(put_since(profile, name, state, now_s, to));
    TRY(put_tokens(profile, now_s, to));
    TRY(put_renewals(profile, to));
    if (error[0] != '\0') {
        TRY(put(to, "  %s\n", error));
    }
    if (hint[0] != '\0') {
        TRY(put(to, "  try: %s\n", hint));
    }
    TRY(put_pin(profile, to));
    if (number(profile, "slow_signatures") > 0) {
        TRY(put(to, "  a signature takes its time: does the token wait for a touch?\n"));
    }
    return put_last_failure(profile, error, now_s, to);
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

/* "backup", or the number of a user without a name; and the unit. */
static void name_caller(const struct json *caller, char ret_text[CALLER_SIZE])
{
    const long long uid = number(caller, "uid");
    char entry_text[ENTRY_SIZE];
    char unit[CALLER_SIZE - NAME_SIZE];
    char name[NAME_SIZE];
    struct passwd entry;
    struct passwd *found = NULL;

    (void)snprintf(name, sizeof(name), "%lld", uid);
    if (getpwuid_r((uid_t)uid, &entry, entry_text, sizeof(entry_text), &found) == 0 && found != NULL) {
        str_quote_foreign(slice_of_str(found->pw_name), name, sizeof(name));
    }
    text(caller, "unit", unit, sizeof(unit));
    (void)snprintf(ret_text, CALLER_SIZE, "%s%s%s", name, unit[0] == '\0' ? "" : " ", unit);
}

static int width_of_callers(const struct json *status)
{
    int width = (int)strlen("CALLER");

    for (const struct json *at = first_of(status, "callers"); at != NULL; at = json_next(at)) {
        char name[CALLER_SIZE];

        name_caller(at, name);
        width = (int)strlen(name) > width ? (int)strlen(name) : width;
    }
    return width;
}

static enum keystay_status put_caller(
    const struct json *caller, int width, int profile_width, int64_t now_s, struct buf *to)
{
    char name[CALLER_SIZE];
    char profile[NAME_SIZE];
    char scope[SCOPE_SIZE];
    char what[STATE_SIZE];
    char given[2 * STATE_SIZE];
    char last[CLOCK_DISTANCE_SIZE];

    name_caller(caller, name);
    text(caller, "profile", profile, sizeof(profile));
    text(caller, "scope", scope, sizeof(scope));
    text(caller, "given", what, sizeof(what));
    const long long times = number(caller, "times");
    const int len = (int)strlen(what) - (times == 1 && what[0] != '\0'); /* "1 token" */
    (void)snprintf(given, sizeof(given), "%lld %.*s", times, len, what);
    clock_format_distance(number(caller, "last"), now_s, last);
    return put(
        to, "%-*s  %-*s  %-14s  %-14s  %s\n", width, name, profile_width, profile, given, last,
        scope[0] == '\0' ? "its own" : scope);
}

static enum keystay_status put_callers(const struct json *status, int64_t now_s, struct buf *to)
{
    const int width = width_of_callers(status);
    const int profile_width = width_of(status);
    long long n = number(status, "n_callers");

    if (first_of(status, "callers") != NULL) {
        TRY(
            put(to, "\n%-*s  %-*s  %-14s  %-14s  %s\n", width, "CALLER", profile_width, "PROFILE",
                "WAS GIVEN", "LAST", "SCOPE"));
    }
    for (const struct json *at = first_of(status, "callers"); at != NULL; at = json_next(at), n--) {
        if (json_type(at) == JSON_OBJECT) {
            TRY(put_caller(at, width, profile_width, now_s, to));
        }
    }
    return n <= 0 ? KEYSTAY_OK : put(to, "and %lld more\n", n);
}

enum keystay_status agent_status_write(
    struct slice answer, int64_t now_s, struct buf *ret_text, struct keystay_error *err)
{
    CLEANUP(json_freep) struct json *status = NULL;

    if (json_parse_object(answer, &status, err) != KEYSTAY_OK || !json_has(status, "version")) {
        return err_set(err, KEYSTAY_E_AGENT, "what answers there is no agent: it tells of no version");
    }
    if (put_head(status, ret_text) != KEYSTAY_OK || put_requests(status, ret_text) != KEYSTAY_OK ||
        put_profiles(status, now_s, ret_text) != KEYSTAY_OK ||
        put_callers(status, now_s, ret_text) != KEYSTAY_OK) {
        return err_no_memory(err);
    }
    return KEYSTAY_OK;
}
