/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent's log says, how often, and in which form. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/journal.h"
#include "base/clock.h"
#include "base/error.h"

enum { SAID_MAX = 256 * 1024, LONGER_MS = JOURNAL_MINUTE_MS + 1000 };

/* A journal over a file, and what was written there. */
struct desk {
    struct temp_file file;
    int fd;
    struct journal *journal;
    const struct keystay_log *log;
    char said[SAID_MAX];
};

static struct desk desk;

static void sit_down(enum journal_tells tells)
{
    desk.file = temp_file(SLICE(""));
    desk.fd = open(desk.file.path, O_RDWR | O_APPEND | O_CLOEXEC);
    assert_true(desk.fd >= 0);
    assert_ok(journal_new(desk.fd, tells, &desk.journal, NULL));
    desk.log = journal_log(desk.journal);
}

static const char *said(void)
{
    const ssize_t len = pread(desk.fd, desk.said, sizeof(desk.said) - 1, 0);

    assert_true(len >= 0);
    desk.said[len] = '\0';
    return desk.said;
}

static void get_up(void)
{
    journal_freep(&desk.journal);
    (void)close(desk.fd);
    temp_file_remove(&desk.file);
}

static size_t count_lines(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

struct heard {
    char text[512];
    enum keystay_log_level level;
};

static void hear(void *context, enum keystay_log_level level, const char *text)
{
    struct heard *heard = context;

    (void)snprintf(heard->text, sizeof(heard->text), "%s", text);
    heard->level = level;
}

TEST(another_log_is_told_plainly)
{
    struct heard heard = { .text = "" };
    const struct keystay_log log = { hear, &heard };
    struct journal *none = NULL;

    journal_note(NULL, "x");
    journal_warn(NULL, "", "x");
    journal_tick(&log, 0);
    journal_freep(&none);
    journal_note(&log, "a %s", "note");
    assert_string_equal(heard.text, "a note");
    assert_int_equal(heard.level, KEYSTAY_LOG_STEP);
    journal_warn(&log, " (7)", "a %s", "warning");
    assert_string_equal(heard.text, "a warning (7)");
    assert_int_equal(heard.level, KEYSTAY_LOG_WARNING);
}

TEST(steps_are_for_who_wants_them)
{
    sit_down(JOURNAL_NOTES);
    log_step(desk.log, "a step");
    log_wait(desk.log, "a pause");
    journal_note(desk.log, "a note");
    log_warning(desk.log, "a warning");
    assert_string_equal(
        said(), "keystay-agent: a pause\nkeystay-agent: a note\nkeystay-agent: warning: a warning\n");
    get_up();
    sit_down(JOURNAL_STEPS);
    log_step(desk.log, "a step");
    assert_string_equal(said(), "keystay-agent: a step\n");
    get_up();
}

/* The agent of one command writes to that command's terminal. */
TEST(who_wants_warnings_alone_has_them_as_others_do)
{
    const int64_t now_ms = clock_monotonic_ms();

    sit_down(JOURNAL_WARNINGS);
    log_step(desk.log, "a step");
    log_wait(desk.log, "a pause");
    journal_note(desk.log, "a note");
    journal_warn(desk.log, " (process 1)", "refused");
    journal_warn(desk.log, " (process 2)", "refused");
    assert_string_equal(said(), "keystay-agent: warning: refused (process 1)\n");
    journal_tick(desk.log, now_ms + LONGER_MS);
    assert_contains(said(), "1 more within a minute: refused\n");
    journal_tick(desk.log, now_ms + 3 * LONGER_MS);
    journal_warn(desk.log, " (process 3)", "refused");
    assert_contains(said(), "refused (process 3)\n");
    get_up();
}

TEST(the_journal_is_told_what_matters)
{
    struct stat info;
    char stream[64];

    sit_down(JOURNAL_STEPS);
    assert_int_equal(fstat(desk.fd, &info), 0);
    (void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
    journal_freep(&desk.journal);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    assert_ok(journal_new(desk.fd, JOURNAL_STEPS, &desk.journal, NULL));
    (void)unsetenv("JOURNAL_STREAM");
    desk.log = journal_log(desk.journal);
    log_step(desk.log, "a step");
    journal_note(desk.log, "a note");
    log_warning(desk.log, "a warning");
    assert_string_equal(said(), "<7>a step\n<6>a note\n<4>a warning\n");
    get_up();
}

TEST(an_output_that_is_not_the_journals_has_no_priorities)
{
    static const char *const streams[] = { "", "1", "1:1", "x:y", "99999999999999999999:1" };

    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        sit_down(JOURNAL_NOTES);
        journal_freep(&desk.journal);
        assert_int_equal(setenv("JOURNAL_STREAM", streams[i], 1), 0);
        assert_ok(journal_new(desk.fd, JOURNAL_NOTES, &desk.journal, NULL));
        (void)unsetenv("JOURNAL_STREAM");
        log_warning(journal_log(desk.journal), "x");
        assert_row(strcmp(said(), "keystay-agent: warning: x\n") == 0, streams[i]);
        get_up();
    }
}

TEST(a_warning_that_comes_again_is_counted)
{
    const int64_t now_ms = clock_monotonic_ms();

    sit_down(JOURNAL_NOTES);
    for (int i = 0; i < 1000; i++) {
        char process[32];
        (void)snprintf(process, sizeof(process), " (process %d)", i);
        journal_warn(desk.log, process, "refused: user 7");
    }
    assert_string_equal(said(), "keystay-agent: warning: refused: user 7 (process 0)\n");
    journal_tick(desk.log, now_ms);
    assert_int_equal(count_lines(said()), 1);
    journal_tick(desk.log, now_ms + LONGER_MS);
    assert_int_equal(count_lines(said()), 2);
    assert_contains(said(), "warning: 999 more within a minute: refused: user 7\n");
    journal_tick(desk.log, now_ms + 3 * LONGER_MS); /* a minute without one */
    assert_int_equal(count_lines(said()), 2);
    journal_warn(desk.log, " (process 5)", "refused: user 7");
    assert_contains(said(), "refused: user 7 (process 5)\n");
    get_up();
}

TEST(what_was_counted_is_told_at_the_end)
{
    sit_down(JOURNAL_NOTES);
    log_warning(desk.log, "twice");
    log_warning(desk.log, "twice");
    journal_freep(&desk.journal);
    assert_contains(said(), "1 more within a minute: twice\n");
    get_up();
}

TEST(notes_are_all_told)
{
    sit_down(JOURNAL_NOTES);
    for (int i = 0; i < 3; i++) {
        journal_note(desk.log, "signed");
    }
    assert_int_equal(count_lines(said()), 3);
    get_up();
}

TEST(different_warnings_do_not_fill_the_disk)
{
    const int64_t now_ms = clock_monotonic_ms();

    sit_down(JOURNAL_NOTES);
    for (int i = 0; i < 10 * JOURNAL_REPEATS_MAX; i++) {
        log_warning(desk.log, "refused: profile %d", i);
    }
    assert_int_equal(count_lines(said()), JOURNAL_REPEATS_MAX);
    journal_tick(desk.log, now_ms + LONGER_MS);
    assert_int_equal(count_lines(said()), JOURNAL_REPEATS_MAX + 1);
    assert_contains(said(), "1152 other warnings within a minute were too many to tell\n");
    log_warning(desk.log, "there is room again");
    assert_contains(said(), "there is room again\n");
    get_up();
}

/* Refusals to a thousand users are one thing; that the PIN was refused meanwhile is another. */
TEST(what_callers_do_hides_nothing_else)
{
    sit_down(JOURNAL_NOTES);
    for (int i = 0; i < 10 * JOURNAL_REPEATS_MAX; i++) {
        journal_warn(desk.log, "", "refused: user %d", i);
    }
    assert_int_equal(count_lines(said()), JOURNAL_REPEATS_OF_CALLERS_MAX);
    log_warning(desk.log, "the PIN was refused");
    assert_contains(said(), "the PIN was refused\n");
    get_up();
}

/* The story: a caller's scope was in what the server said of it, and each was another warning. */
TEST(a_failure_in_other_words_is_the_same_one)
{
    struct keystay_error error = { 0 };
    char words[64];

    sit_down(JOURNAL_NOTES);
    for (unsigned int i = 0; i < JOURNAL_REPEATS_MAX + 1U; i++) {
        (void)snprintf(words, sizeof(words), "no scope %u\nis there", i);
        (void)err_set_hint(&error, KEYSTAY_E_SERVER_REFUSED, "ask for another", "%s", words);
        error.aadsts = 70011;
        journal_failure(desk.log, "main", "no token", &error);
    }
    assert_string_equal(
        said(), "keystay-agent: warning: profile main: no token (server_refused, AADSTS70011): no scope 0 is "
                "there; try: ask for another\n");
    error = (struct keystay_error){ .status = KEYSTAY_E_NETWORK };
    journal_failure(desk.log, "main", "no token", &error);
    assert_contains(said(), "no token (network): \n");
    get_up();
}

TEST(a_line_is_one_line_whatever_it_quotes)
{
    char text[3 * JOURNAL_LINE_MAX];

    sit_down(JOURNAL_NOTES);
    journal_note(desk.log, "a\n<0>b\x1B[31m\r");
    journal_warn(desk.log, "\nkeystay-agent: d", "c\x1B[31m");
    assert_int_equal(count_lines(said()), 2);
    assert_lacks(said(), "\x1B");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    journal_note(desk.log, "%s", text);
    journal_warn(desk.log, text, "%s", text);
    assert_int_equal(count_lines(said()), 4);
    get_up();
}

/* The story: the program that an agent's log was led to had stopped, and so had every thread that had
 * something to say. */
TEST(lines_that_nobody_reads_are_lost_and_counted)
{
    static char text[SAID_MAX];
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    (void)alarm(20);
    assert_ok(journal_new(ends[1], JOURNAL_STEPS, &desk.journal, NULL));
    desk.log = journal_log(desk.journal);
    for (int i = 0; i < SAID_MAX / 64; i++) {
        log_step(desk.log, "a step");
        journal_note(desk.log, "a note");
    }
    log_warning(desk.log, "a warning");
    const ssize_t len = read(ends[0], text, sizeof(text) - 1);
    assert_true(len > 0);
    text[len] = '\0';
    const size_t n_there = count_lines(text);
    journal_tick(desk.log, clock_monotonic_ms()); /* nothing else is to be said */
    journal_note(desk.log, "a reader is back");
    const ssize_t more = read(ends[0], text, sizeof(text) - 1);
    assert_true(more > 0);
    text[more] = '\0';
    char expected[256];
    (void)snprintf(
        expected, sizeof(expected),
        "keystay-agent: warning: %zu lines are missing here: there was no room for them, or nobody read them\n"
        "keystay-agent: a reader is back\n",
        (size_t)SAID_MAX / 64 * 2 + 1 - n_there);
    assert_string_equal(text, expected);
    journal_freep(&desk.journal);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_log_is_told_plainly),
        cmocka_unit_test(steps_are_for_who_wants_them),
        cmocka_unit_test(who_wants_warnings_alone_has_them_as_others_do),
        cmocka_unit_test(the_journal_is_told_what_matters),
        cmocka_unit_test(an_output_that_is_not_the_journals_has_no_priorities),
        cmocka_unit_test(a_warning_that_comes_again_is_counted),
        cmocka_unit_test(what_was_counted_is_told_at_the_end),
        cmocka_unit_test(notes_are_all_told),
        cmocka_unit_test(different_warnings_do_not_fill_the_disk),
        cmocka_unit_test(what_callers_do_hides_nothing_else),
        cmocka_unit_test(a_failure_in_other_words_is_the_same_one),
        cmocka_unit_test(a_line_is_one_line_whatever_it_quotes),
        cmocka_unit_test(lines_that_nobody_reads_are_lost_and_counted),
    };

    return RUN_TESTS(tests);
}
