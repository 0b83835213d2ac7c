/* SPDX-License-Identifier: Apache-2.0 */
/* A script plays pinentry: it is the first of that name on PATH, notes what it is told, and answers GETPIN.
 */
#include "scratch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "pkcs11/pinentry.h"

enum { LEN_MAX = 1024, LONG_TIME_MS = 20000, SCRIPT_SIZE = 8192 };

static struct scratch folder;

/* on_getpin is shell code; *greeting too, for those that never get so far. */
static void install(const char *greeting, const char *on_getpin)
{
    char script[SCRIPT_SIZE];
    int len = snprintf(
        script, sizeof(script),
        "#!/bin/sh\n: > '%s/log'\n%s\n"
        "while read -r line; do printf '%%s\\n' \"$line\" >> '%s/log'\n"
        "case \"$line\" in GETPIN) %s ;; *) echo OK ;; esac\ndone\n",
        folder.path, greeting, folder.path, on_getpin);

    assert_true(len > 0 && len < SCRIPT_SIZE);
    scratch_put(&folder, "pinentry", (struct slice){ (const uint8_t *)script, (size_t)len }, 0700);
}

#define GREETING "echo 'OK Pleased to meet you'"

static enum keystay_status ask(
    const char *description, size_t len_max, struct secret *pin, struct keystay_error *err)
{
    return pinentry_ask(description, len_max, LONG_TIME_MS, pin, err);
}

static void log_of(struct buf *log)
{
    char path[SCRATCH_PATH_SIZE];

    assert_ok(file_read(scratch_path(&folder, "log", path), "the log", KEYSTAY_E_CONFIG, log, NULL));
}

static int set_up(void **state)
{
    static char path[128];
    (void)state;
    folder = scratch_new();
    (void)snprintf(path, sizeof(path), "%s:/usr/bin:/bin", folder.path);
    return setenv("PATH", path, 1);
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&folder);
    return 0;
}

static void assert_no_pin(const char *name, enum keystay_status expected, size_t len_max)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };
    struct keystay_error err = { 0 };
    enum keystay_status status = ask("keystay wants", len_max, &pin, &err);

    if (status != expected) {
        fail_msg(
            "'%s' gives %s, not %s: %s", name, keystay_status_name(status), keystay_status_name(expected),
            err.message);
    }
    assert_row(pin.len == 0, name);
    assert_lacks(err.message, "4711");
    assert_tame(err.message);
}

TEST(without_the_program_there_is_advice)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };
    KEPT_ENV path = env_set("PATH", folder.path);
    struct keystay_error err;

    assert_int_equal(ask("x", LEN_MAX, &pin, &err), KEYSTAY_E_PIN_SOURCE);
    assert_contains(err.hint, "--pin-source tty");
    assert_null(pin.data);
}

TEST(a_program_that_cannot_be_run_is_no_pinentry)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };
    KEPT_ENV path = env_set("PATH", folder.path);

    scratch_put(&folder, "pinentry", SLICE("#!/bin/sh\n"), 0600);
    assert_int_equal(ask("x", LEN_MAX, &pin, NULL), KEYSTAY_E_PIN_SOURCE);
}

TEST(a_person_who_cancels_interrupts)
{
    install(GREETING, "echo 'ERR 83886179 Operation cancelled <Pinentry>'");
    assert_no_pin("cancelled", KEYSTAY_E_INTERRUPTED, LEN_MAX);
}

TEST(what_a_person_types_arrives_byte_for_byte)
{
    static const struct {
        const char *name, *on_getpin;
        struct slice pin;
    } rows[] = {
#define ROW(name, script, pin)                      \
    {                                               \
        name, script,                               \
        {                                           \
            (const uint8_t *)(pin), sizeof(pin) - 1 \
        }                                           \
    }
        ROW("digits", "echo 'D 1234'; echo OK", "1234"),
        ROW("OK with words", "echo 'D 1234'; echo 'OK closing'", "1234"),
        ROW("blanks", "echo 'D  a b '; echo OK", " a b "),
        ROW("nothing", "echo OK", ""),
        ROW("an empty line", "echo 'D '; echo OK", ""),
        ROW("escapes", "echo 'D a%25b%0Ac%0dd'; echo OK", "a%b\nc\rd"),
        ROW("capital escapes", "echo 'D %C3%A4%c3%a4'; echo OK", "\xC3\xA4\xC3\xA4"),
        ROW("UTF-8", "printf 'D g\\303\\244heim\\n'; echo OK", "g\xC3\xA4heim"),
        ROW("no escape", "echo 'D 100%'; echo OK", "100%"),
        ROW("half an escape", "echo 'D 1%4'; echo OK", "1%4"),
        ROW("no hexadecimal", "echo 'D %zz%4g'; echo OK", "%zz%4g"),
        ROW("escaped once", "echo 'D %2541'; echo OK", "%41"),
        ROW("two lines of data", "echo 'D 12'; echo 'D 34'; echo OK", "1234"),
        ROW("status and comments", "echo 'S PASSWORD_FROM_CACHE'; echo '# hm'; echo 'D 1'; echo OK", "1"),
#undef ROW
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(secret_clear) struct secret pin = { 0 };
        struct keystay_error err = { 0 };

        install(GREETING, rows[i].on_getpin);
        if (ask("x", LEN_MAX, &pin, &err) != KEYSTAY_OK) {
            fail_msg("row '%s': %s", rows[i].name, err.message);
        }
        assert_row(slice_equal(secret_slice(&pin), rows[i].pin), rows[i].name);
    }
}

TEST(it_is_told_what_the_pin_is_for_and_where_the_terminal_is)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };
    KEPT_ENV term = env_set("TERM", "vt100");
    CLEANUP(buf_clear) struct buf log = BUF(4096);

    install(GREETING, "echo 'D 1'; echo OK");
    assert_ok(ask("keystay wants to use token 'x'.", LEN_MAX, &pin, NULL));
    log_of(&log);
    assert_contains(buf_str(&log), "OPTION ttytype=vt100\n");
    assert_contains(buf_str(&log), "SETDESC keystay wants to use token 'x'.\n");
    assert_contains(buf_str(&log), "GETPIN\n");
}

/* Data before the question is not the answer. */
TEST(only_the_answer_to_getpin_counts)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };

    install("echo 'D 4711'; " GREETING, "echo 'D 1234'; echo OK");
    assert_ok(ask("x", LEN_MAX, &pin, NULL));
    assert_true(slice_equal(secret_slice(&pin), SLICE("1234")));
}

TEST(a_pin_may_be_as_long_as_the_limit_and_no_longer)
{
    static const struct {
        const char *name, *text;
        size_t len_max;
        bool fits;
    } rows[] = {
        { "at the limit", "12345678", 8, true },
        { "one more", "123456789", 8, false },
        { "escaped, at the limit", "%31%32%33%34%35%36%37%38", 8, true },
        { "escaped, one more", "%31%32%33%34%35%36%37%38%39", 8, false },
        { "far more", "123456789012345678901234567890", 8, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(secret_clear) struct secret pin = { 0 };
        char on_getpin[100];

        (void)snprintf(on_getpin, sizeof(on_getpin), "echo 'D %s'; echo OK", rows[i].text);
        install(GREETING, on_getpin);
        if (rows[i].fits) {
            assert_row(ask("x", rows[i].len_max, &pin, NULL) == KEYSTAY_OK, rows[i].name);
            assert_row(pin.len == 8, rows[i].name);
        } else {
            assert_no_pin(rows[i].name, KEYSTAY_E_PIN_SOURCE, rows[i].len_max);
        }
    }
}

TEST(an_answer_without_end_is_cut_off)
{
    install(GREETING, "head -c 100000 /dev/zero | tr '\\0' 4; echo; echo OK");
    assert_no_pin("one endless line", KEYSTAY_E_PIN_SOURCE, LEN_MAX);
    install(GREETING, "while :; do echo 'D 47114711471147114711'; done");
    assert_no_pin("endless lines", KEYSTAY_E_PIN_SOURCE, LEN_MAX);
}

TEST(one_that_errs_or_ends_gives_no_pin)
{
    static const struct {
        const char *name, *greeting, *on_getpin;
    } rows[] = {
        { "error", GREETING, "echo 'ERR 83886254 Unknown command <Pinentry>'" },
        { "error after data", GREETING, "echo 'D 4711'; echo 'ERR 1 no'" },
        { "error without a number", GREETING, "echo 'ERR nonsense'" },
        { "no display", "echo 'ERR 83886178 no display'", "echo OK" },
        { "ends at once", "exit 1", "echo OK" },
        { "ends after its greeting", GREETING "; exit 0", "echo OK" },
        { "ends when asked", GREETING, "exit 0" },
        { "ends in mid-answer", GREETING, "printf 'D 4711'; exit 0" },
        { "ends before the answer", GREETING, "printf 'D '; exit 0" },
        { "ends with half a word", GREETING, "printf D; exit 0" },
        { "ends before OK", GREETING, "echo 'D 4711'; exit 0" },
        { "is killed", GREETING, "echo 'D 4711'; kill -9 $$" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        install(rows[i].greeting, rows[i].on_getpin);
        assert_no_pin(rows[i].name, KEYSTAY_E_PIN_SOURCE, LEN_MAX);
    }
}

/* KEYSTAY_E_TIMEOUT is a server's: a caller would try again, and the exit status would be the network's. */
TEST(nobody_at_the_keyboard_is_a_missing_pin)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };
    int64_t started_ms = clock_monotonic_ms();

    install(GREETING, "exec sleep 60");
    enum keystay_status status = pinentry_ask("x", LEN_MAX, 500, &pin, NULL);
    assert_true(clock_monotonic_ms() - started_ms < 30000);
    assert_null(pin.data);
    assert_int_equal(status, KEYSTAY_E_PIN_SOURCE);
}

/* Assuan: '%', CR and LF in an argument are escaped. A label must neither change nor give commands. */
TEST(a_hostile_description_is_only_text)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };
    CLEANUP(buf_clear) struct buf log = BUF(4096);

    install(GREETING, "echo 'D 1'; echo OK");
    assert_ok(ask("token '50%41'\nSETTITLE forged", LEN_MAX, &pin, NULL));
    log_of(&log);
    assert_lacks(buf_str(&log), "\nSETTITLE forged");
    assert_contains(buf_str(&log), "SETDESC token '50%2541'%0ASETTITLE forged\n");
}

#define pinentry_test(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        pinentry_test(without_the_program_there_is_advice),
        pinentry_test(a_program_that_cannot_be_run_is_no_pinentry),
        pinentry_test(a_person_who_cancels_interrupts),
        pinentry_test(what_a_person_types_arrives_byte_for_byte),
        pinentry_test(it_is_told_what_the_pin_is_for_and_where_the_terminal_is),
        pinentry_test(only_the_answer_to_getpin_counts),
        pinentry_test(a_pin_may_be_as_long_as_the_limit_and_no_longer),
        pinentry_test(an_answer_without_end_is_cut_off),
        pinentry_test(one_that_errs_or_ends_gives_no_pin),
        pinentry_test(nobody_at_the_keyboard_is_a_missing_pin),
        pinentry_test(a_hostile_description_is_only_text),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as a program that uses the library does */
    return RUN_TESTS(tests);
}
