/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/journal.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/outlet.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

/* syslog(3); sd-daemon(3) has them as "<4>" before a line. */
enum priority { PRIORITY_WARNING = 4, PRIORITY_INFO = 6, PRIORITY_DEBUG = 7 };

/* A warning that was told, and how often it has come since. */
struct repeat {
    char text[JOURNAL_LINE_MAX]; /* "": this place is free */
    bool is_of_caller;
    unsigned long n;
    int64_t tell_at_ms;
};

struct journal {
    struct keystay_log log;
    enum journal_tells tells;
    bool has_priorities;
    pthread_mutex_t lock; /* over what follows */
    struct outlet outlet;
    unsigned long n_lost; /* lines that did not go out */
    struct repeat repeats[JOURNAL_REPEATS_MAX];
    unsigned long n_left_out;
    int64_t tell_left_out_at_ms;
};

/* systemd.exec(5): the variable holds device and inode of the journal's socket, so that a program whose
 * output was led elsewhere since can tell. */
bool journal_is_systemds(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM"); /* NOLINT(concurrency-mt-unsafe): nobody sets any */
    char expected[64];
    struct stat info;

    if (stream == NULL || fstat(fd, &info) != 0) {
        return false;
    }
    (void)snprintf(expected, sizeof(expected), "%ju:%ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
    return str_equal(stream, expected);
}

/* Under the lock, as all that follows. False: it is lost. */
static bool put_now(struct journal *journal, enum priority priority, const char *text)
{
    char line[JOURNAL_LINE_MAX + 64];

    if (journal->has_priorities) {
        (void)snprintf(line, sizeof(line), "<%d>%s", (int)priority, text);
    } else {
        (void)snprintf(
            line, sizeof(line), "keystay-agent: %s%s", priority == PRIORITY_WARNING ? "warning: " : "", text);
    }
    return outlet_put(&journal->outlet, line);
}

/* False: nothing goes out now. */
static bool tell_lost(struct journal *journal)
{
    char text[128];

    if (journal->n_lost == 0) {
        return true;
    }
    (void)snprintf(
        text, sizeof(text), "%lu lines are missing here: there was no room for them, or nobody read them",
        journal->n_lost);
    if (!put_now(journal, PRIORITY_WARNING, text)) {
        return false;
    }
    journal->n_lost = 0;
    return true;
}

static void put_locked(struct journal *journal, enum priority priority, const char *text)
{
    if (!tell_lost(journal) || !put_now(journal, priority, text)) {
        journal->n_lost++;
    }
}

/* Not under the lock. */
static void put(struct journal *journal, enum priority priority, const char *text)
{
    (void)pthread_mutex_lock(&journal->lock);
    put_locked(journal, priority, text);
    (void)pthread_mutex_unlock(&journal->lock);
}

/* Under the lock: whether it was told within this minute, or must not be told. */
static bool is_repeat(struct journal *journal, const char *text, bool is_of_caller, int64_t now_ms)
{
    struct repeat *free_one = NULL;
    size_t n_of_callers = 0;

    for (size_t i = 0; i < JOURNAL_REPEATS_MAX; i++) {
        struct repeat *repeat = &journal->repeats[i];

        if (repeat->text[0] == '\0') {
            free_one = free_one == NULL ? repeat : free_one;
        } else if (str_equal(repeat->text, text)) {
            repeat->n++;
            return true;
        } else {
            n_of_callers += repeat->is_of_caller;
        }
    }
    if (free_one == NULL || (is_of_caller && n_of_callers >= JOURNAL_REPEATS_OF_CALLERS_MAX)) {
        if (journal->n_left_out++ == 0) {
            journal->tell_left_out_at_ms = now_ms + JOURNAL_MINUTE_MS;
        }
        return true;
    }
    (void)snprintf(free_one->text, sizeof(free_one->text), "%s", text);
    free_one->is_of_caller = is_of_caller;
    free_one->n = 0;
    free_one->tell_at_ms = now_ms + JOURNAL_MINUTE_MS;
    return false;
}

static void warn(struct journal *journal, const char *text, bool is_of_caller, const char *detail)
{
    char line[2 * JOURNAL_LINE_MAX];

    (void)pthread_mutex_lock(&journal->lock);
    if (!is_repeat(journal, text, is_of_caller, clock_monotonic_ms())) {
        (void)snprintf(line, sizeof(line), "%s%s", text, detail);
        put_locked(journal, PRIORITY_WARNING, line);
    }
    (void)pthread_mutex_unlock(&journal->lock);
}

/* A keystay_log's line. */
static void take_line(void *context, enum keystay_log_level level, const char *text)
{
    struct journal *journal = context;

    switch (level) {
    case KEYSTAY_LOG_WARNING:
        warn(journal, text, false, "");
        return;
    case KEYSTAY_LOG_WAIT:
        if (journal->tells >= JOURNAL_NOTES) {
            put(journal, PRIORITY_INFO, text);
        }
        return;
    case KEYSTAY_LOG_STEP:
        if (journal->tells >= JOURNAL_STEPS) {
            put(journal, PRIORITY_DEBUG, text);
        }
        return;
    }
}

enum keystay_status journal_new(
    int fd, enum journal_tells tells, struct journal **ret_journal, struct keystay_error *err)
{
    struct journal *journal = calloc(1, sizeof(*journal));

    if (journal == NULL) {
        return err_no_memory(err);
    }
    journal->log = (struct keystay_log){ take_line, journal };
    outlet_init(&journal->outlet, fd);
    journal->tells = tells;
    journal->has_priorities = journal_is_systemds(fd);
    (void)pthread_mutex_init(&journal->lock, NULL);
    *ret_journal = journal;
    return KEYSTAY_OK;
}

const struct keystay_log *journal_log(struct journal *journal)
{
    return &journal->log;
}

/* NULL where a log is not a journal's. */
static struct journal *journal_of(const struct keystay_log *log)
{
    return log != NULL && log->line == take_line ? log->context : NULL;
}

void journal_note(const struct keystay_log *log, const char *format, ...)
{
    struct journal *journal = journal_of(log);
    char text[JOURNAL_LINE_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (journal == NULL) {
        log_step(log, "%s", text);
        return;
    }
    if (journal->tells >= JOURNAL_NOTES) {
        str_tidy(text);
        put(journal, PRIORITY_INFO, text);
    }
}

void journal_warn(const struct keystay_log *log, const char *detail, const char *format, ...)
{
    struct journal *journal = journal_of(log);
    char text[JOURNAL_LINE_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (journal == NULL) {
        log_warning(log, "%s%s", text, detail);
        return;
    }
    str_tidy(text);
    warn(journal, text, true, detail);
}

void journal_failure(
    const struct keystay_log *log, const char *profile, const char *what, const struct keystay_error *error)
{
    char detail[KEYSTAY_ERROR_MESSAGE_SIZE + KEYSTAY_ERROR_HINT_SIZE + sizeof(": ; try: ")];
    char code[32] = "";

    if (error->aadsts != 0) {
        (void)snprintf(code, sizeof(code), ", AADSTS%d", error->aadsts);
    }
    (void)snprintf(
        detail, sizeof(detail), ": %s%s%s", error->message,
        error->hint[0] == '\0' ? "" : "; try: ", error->hint);
    str_tidy(detail);
    journal_warn(
        log, detail, "profile %s: %s (%s%s)", profile, what, keystay_status_name(error->status), code);
}

/* Under the lock. */
static void tell(struct journal *journal, struct repeat *repeat, int64_t now_ms)
{
    char line[2 * JOURNAL_LINE_MAX];

    if (repeat->n == 0) {
        repeat->text[0] = '\0'; /* it has not come again: the next one is told in full */
        return;
    }
    (void)snprintf(line, sizeof(line), "%lu more within a minute: %s", repeat->n, repeat->text);
    put_locked(journal, PRIORITY_WARNING, line);
    repeat->n = 0;
    repeat->tell_at_ms = now_ms + JOURNAL_MINUTE_MS;
}

static void tell_due(struct journal *journal, int64_t now_ms)
{
    char line[JOURNAL_LINE_MAX];

    (void)pthread_mutex_lock(&journal->lock);
    for (size_t i = 0; i < JOURNAL_REPEATS_MAX; i++) {
        if (journal->repeats[i].text[0] != '\0' && now_ms >= journal->repeats[i].tell_at_ms) {
            tell(journal, &journal->repeats[i], now_ms);
        }
    }
    if (journal->n_left_out > 0 && now_ms >= journal->tell_left_out_at_ms) {
        (void)snprintf(
            line, sizeof(line), "%lu other warnings within a minute were too many to tell",
            journal->n_left_out);
        put_locked(journal, PRIORITY_WARNING, line);
        journal->n_left_out = 0;
    }
    (void)tell_lost(journal);
    (void)pthread_mutex_unlock(&journal->lock);
}

void journal_tick(const struct keystay_log *log, int64_t now_ms)
{
    struct journal *journal = journal_of(log);

    if (journal != NULL) {
        tell_due(journal, now_ms);
    }
}

void journal_freep(struct journal **journal)
{
    if (*journal != NULL) {
        tell_due(*journal, INT64_MAX - JOURNAL_MINUTE_MS);
        outlet_clear(&(*journal)->outlet);
        (void)pthread_mutex_destroy(&(*journal)->lock);
        free(*journal);
    }
    *journal = NULL;
}
