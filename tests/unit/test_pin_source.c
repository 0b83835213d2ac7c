/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "pkcs11/pin_source.h"

enum { LONG_TIME_MS = 20000 };

static enum keystay_status get_within(
    const char *text, int64_t timeout_ms, const struct keystay_log *log, struct secret *pin,
    struct keystay_error *err)
{
    const struct pin_question question = { "token 'x'", "", timeout_ms, 0 };
    struct pin_source source;

    assert_ok(pin_source_parse(text, &source, NULL));
    return pin_source_get(&source, &question, log, pin, err);
}

static enum keystay_status get(const char *text, struct secret *pin, struct keystay_error *err)
{
    return get_within(text, LONG_TIME_MS, NULL, pin, err);
}

static void assert_gives(const char *text, struct slice expected)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };
    struct keystay_error err = { 0 };

    if (get(text, &pin, &err) != KEYSTAY_OK) {
        fail_msg("'%s' gives nothing: %s", text, err.message);
    }
    if (!slice_equal(secret_slice(&pin), expected)) {
        fail_msg("'%s' gives '%.*s'", text, (int)pin.len, pin.data);
    }
}

static void assert_gives_nothing(const char *text, const char *reason)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };
    struct keystay_error err = { 0 };

    if (get(text, &pin, &err) != KEYSTAY_E_PIN_SOURCE) {
        fail_msg("'%s' should give KEYSTAY_E_PIN_SOURCE, not %d: %s", text, err.status, err.message);
    }
    assert_int_equal(err.status, KEYSTAY_E_PIN_SOURCE);
    assert_contains(err.message, reason);
    assert_tame(err.message);
    assert_null(pin.data);
}

/* Somebody may have typed the PIN itself: "4711" plays it. */
TEST(what_is_no_source_is_refused_and_never_repeated)
{
    static const char *const texts[] = {
        "",         "4711",        "file",        "file:",         "fd:",       "env:",      "credential:",
        "exec:",    "tty:4711",    "none:4711",   "pinentry:4711", "TTY4711",   "File:4711", " file:/4711",
        "tty 4711", "4711\nfile:", "pkcs11:4711", "pass:4711",     "stdin4711", "fd4711",    "file/4711",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct pin_source source = { .fd = 77 };
        struct keystay_error err;

        assert_row(pin_source_parse(texts[i], &source, &err) == KEYSTAY_E_CONFIG, texts[i]);
        assert_row(source.fd == 77, texts[i]);
        assert_lacks(err.message, "4711");
        assert_lacks(err.hint, "4711");
        assert_contains(err.message, "file:PATH");
    }
}

TEST(bad_arguments_are_refused)
{
    static const struct {
        const char *text, *reason;
    } rows[] = {
        { "fd:x", "number" },
        { "fd:-1", "number" },
        { "fd:3x", "number" },
        { "fd: 3", "number" },
        { "fd:99999999", "number" },
        { "fd:18446744073709551619", "number" },
        { "credential:a/b", "a name" },
        { "credential:../pin", "a name" },
        { "credential:/etc/pin", "a name" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pin_source source;
        struct keystay_error err;

        assert_row(pin_source_parse(rows[i].text, &source, &err) == KEYSTAY_E_CONFIG, rows[i].text);
        assert_contains(err.message, rows[i].reason);
    }
}

/* RFC 7512 §2.4: "a path, or file:PATH" is what we take; "|command" and the rest is not. */
TEST(a_uris_source_is_a_file_and_nothing_else)
{
    static const char *const texts[] = {
        "",    "4711", "|/bin/4711", "env:4711",      "exec:/bin/4711", "fd:3",
        "tty", "none", "file:",      "relative/4711", "credential:4711"
    };
    struct pin_source source;
    struct keystay_error err;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_row(pin_source_parse_uri(texts[i], &source, &err) == KEYSTAY_E_CONFIG, texts[i]);
        assert_lacks(err.message, "4711");
    }
    assert_ok(pin_source_parse_uri("/run/pin", &source, NULL));
    assert_int_equal(source.kind, PIN_SOURCE_FILE);
    assert_string_equal(source.argument, "/run/pin");
    assert_ok(pin_source_parse_uri("file:/run/pin", &source, NULL));
    assert_int_equal(source.kind, PIN_SOURCE_FILE);
    assert_string_equal(source.argument, "/run/pin");
}

TEST(what_a_pin_pad_asks_for_cannot_be_got_here)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };

    assert_int_equal(get("none", &pin, NULL), KEYSTAY_E_INTERNAL);
    assert_null(pin.data);
}

TEST(every_form_is_understood)
{
    static const struct {
        const char *text;
        enum pin_source_kind kind;
        const char *argument;
        int fd;
        bool attended, repeatable;
    } rows[] = {
        { "file:/run/pin", PIN_SOURCE_FILE, "/run/pin", -1, false, true },
        { "file:pin with blanks ", PIN_SOURCE_FILE, "pin with blanks ", -1, false, true },
        { "file:file:x", PIN_SOURCE_FILE, "file:x", -1, false, true },
        { "fd:0", PIN_SOURCE_FD, "0", 0, false, false },
        { "fd:1048576", PIN_SOURCE_FD, "1048576", 1048576, false, false },
        { "env:PIN", PIN_SOURCE_ENV, "PIN", -1, false, true },
        { "credential:pin", PIN_SOURCE_CREDENTIAL, "pin", -1, false, true },
        { "exec:/bin/pass show pin", PIN_SOURCE_EXEC, "/bin/pass show pin", -1, false, true },
        { "pinentry", PIN_SOURCE_PINENTRY, "", -1, true, false },
        { "tty", PIN_SOURCE_TTY, "", -1, true, false },
        { "none", PIN_SOURCE_NONE, "", -1, true, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pin_source source;

        assert_row(pin_source_parse(rows[i].text, &source, NULL) == KEYSTAY_OK, rows[i].text);
        assert_row(source.kind == rows[i].kind, rows[i].text);
        assert_string_equal(source.argument, rows[i].argument);
        assert_row(source.fd == rows[i].fd, rows[i].text);
        assert_row(pin_source_is_attended(&source) == rows[i].attended, rows[i].text);
        assert_row(pin_source_is_repeatable(&source) == rows[i].repeatable, rows[i].text);
    }
}

/* One trailing line end is the editor's; everything else is the PIN's. */
TEST(a_file_gives_what_is_in_it_less_one_line_end)
{
    static const struct {
        const char *name;
        struct slice content, pin;
    } rows[] = {
#define ROW(content, pin)                                              \
    {                                                                  \
#content, { (const uint8_t *)(content), sizeof(content) - 1 }, \
        {                                                              \
            (const uint8_t *)(pin), sizeof(pin) - 1                    \
        }                                                              \
    }
        ROW("1234", "1234"),
        ROW("1234\n", "1234"),
        ROW("1234\r\n", "1234"),
        ROW("1234\n\n", "1234\n"),
        ROW("\n1234", "\n1234"),
        ROW(" 12 34 ", " 12 34 "),
        ROW("12\0"
            "34\n",
            "12\0"
            "34"),
        ROW("g\xC3\xA4heim\n", "g\xC3\xA4heim"),
        ROW("g\xE4heim", "g\xE4heim"), /* Latin-1: never transcoded */
        ROW("", ""),
        ROW("\n", ""),
        ROW("\r\n", ""),
#undef ROW
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(temp_file_remove) struct temp_file file = temp_file(rows[i].content);
        char text[80];

        (void)snprintf(text, sizeof(text), "file:%s", file.path);
        assert_gives(text, rows[i].pin);
        assert_gives(text, rows[i].pin); /* and again */
    }
}

TEST(a_file_that_others_can_read_is_warned_of)
{
    static const struct {
        mode_t mode;
        int n_warnings;
    } rows[] = { { 0600, 0 }, { 0400, 0 }, { 0640, 1 }, { 0604, 1 }, { 0644, 1 } };
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    char text[SCRATCH_PATH_SIZE + 8];

    (void)snprintf(text, sizeof(text), "file:%s", scratch_path(&folder, "pin", path));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(secret_clear) struct secret pin = { 0 };
        struct ear ear;

        ear_init(&ear);
        scratch_put(&folder, "pin", SLICE("4711\n"), rows[i].mode);
        assert_ok(get_within(text, LONG_TIME_MS, &ear.log, &pin, NULL));
        assert_int_equal(ear.n_warnings, rows[i].n_warnings);
        assert_lacks(ear.last, "4711");
        assert_true(rows[i].n_warnings == 0 || strstr(ear.last, path) != NULL);
        assert_int_equal(unlink(path), 0);
    }
}

TEST(a_descriptor_is_read_to_its_end_once)
{
    CLEANUP(file_closep) int fd = pipe_with(SLICE("1234\n"));
    char text[20];

    (void)snprintf(text, sizeof(text), "fd:%d", fd);
    assert_gives(text, SLICE("1234"));
    assert_gives(text, SLICE(""));
    assert_gives_nothing("fd:987654", "the PIN's descriptor");
}

TEST(the_environment_gives_a_pin)
{
    KEPT_ENV set = env_set("KEYSTAY_UNIT_PIN", "1234\n");
    KEPT_ENV unset = env_set("KEYSTAY_UNIT_NONE", NULL);

    assert_gives("env:KEYSTAY_UNIT_PIN", SLICE("1234"));
    assert_gives_nothing("env:KEYSTAY_UNIT_NONE", "KEYSTAY_UNIT_NONE is not set");
}

TEST(a_credential_is_a_file_of_the_units_folder)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    KEPT_ENV set = env_set("CREDENTIALS_DIRECTORY", folder.path);

    scratch_put(&folder, "pin", SLICE("1234\n"), 0400);
    assert_gives("credential:pin", SLICE("1234"));
    assert_gives_nothing("credential:other", "other");
    assert_gives_nothing("credential:..", "is a folder");
    KEPT_ENV unset = env_set("CREDENTIALS_DIRECTORY", NULL);
    assert_gives_nothing("credential:pin", "CREDENTIALS_DIRECTORY");
}

TEST(a_command_gives_its_output)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    char text[SCRATCH_PATH_SIZE + 32];

    scratch_put(&folder, "pass", SLICE("#!/bin/sh\nread nothing\nprintf '%s-%s\\n' \"$1\" \"$#\"\n"), 0700);
    (void)snprintf(text, sizeof(text), "exec:%s a  b   c ", scratch_path(&folder, "pass", path));
    assert_gives(text, SLICE("a-3"));
    assert_gives("exec:echo 1234", SLICE("1234")); /* found on PATH */
    assert_gives("exec:/bin/cat", SLICE(""));      /* its stdin is at its end */
}

/* No quotes, no variables, no second command. */
TEST(no_shell_reads_a_command)
{
    assert_gives(
        "exec:/bin/echo $HOME;id `id` $(id) | cat > x 'a b' * ~",
        SLICE("$HOME;id `id` $(id) | cat > x 'a b' * ~"));
}

TEST(a_command_that_fails_gives_no_pin)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    char text[SCRATCH_PATH_SIZE + 8];

    assert_gives_nothing("exec:/bin/false", "'/bin/false'");
    assert_gives_nothing("exec:/nonexistent/pass", "/nonexistent/pass");
    assert_gives_nothing("exec:keystay-unit-no-such-program", "keystay-unit-no-such-program");
    assert_gives_nothing("exec:/tmp", "/tmp");
    scratch_put(&folder, "killed", SLICE("#!/bin/sh\necho 4711\nkill -9 $$\n"), 0700);
    (void)snprintf(text, sizeof(text), "exec:%s", scratch_path(&folder, "killed", path));
    assert_gives_nothing(text, "137");
}

TEST(an_empty_command_is_refused)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };

    assert_int_equal(get("exec:   ", &pin, NULL), KEYSTAY_E_CONFIG);
}

TEST(a_slow_command_is_ended)
{
    CLEANUP(scratch_remove) struct scratch folder = scratch_new();
    char path[SCRATCH_PATH_SIZE];
    char closes_stdout[SCRATCH_PATH_SIZE + 8];
    const char *texts[] = { "exec:/bin/sleep 60", closes_stdout };

    scratch_put(&folder, "slow", SLICE("#!/bin/sh\necho 4711\nexec sleep 60 >&-\n"), 0700);
    (void)snprintf(closes_stdout, sizeof(closes_stdout), "exec:%s", scratch_path(&folder, "slow", path));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(secret_clear) struct secret pin = { 0 };
        struct keystay_error err;
        int64_t started_ms = clock_monotonic_ms();

        assert_int_equal(get_within(texts[i], 300, NULL, &pin, &err), KEYSTAY_E_PIN_SOURCE);
        assert_true(clock_monotonic_ms() - started_ms < 30000);
        assert_true(clock_monotonic_ms() - started_ms >= 300);
        assert_lacks(err.message, "4711");
    }
}

/* A writer that never writes and never goes. */
TEST(a_silent_descriptor_is_not_waited_for_beyond_the_time)
{
    CLEANUP(secret_clear) struct secret pin = { 0 };
    int64_t started_ms = clock_monotonic_ms();
    char text[20];
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    (void)snprintf(text, sizeof(text), "fd:%d", ends[0]);
    assert_int_equal(get_within(text, 200, NULL, &pin, NULL), KEYSTAY_E_PIN_SOURCE);
    assert_true(clock_monotonic_ms() - started_ms < 10000);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

TEST(a_pin_has_a_longest_length)
{
    static const size_t lens[] = { PIN_LEN_MAX, PIN_LEN_MAX + 1 };
    char content[PIN_LEN_MAX + 2] = { 0 };
    char text[80];

    memset(content, '7', PIN_LEN_MAX + 1);
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        const struct slice pin = { (const uint8_t *)content, lens[i] };
        content[lens[i]] = '\0';
        KEPT_ENV set = env_set("KEYSTAY_UNIT_PIN", content);
        CLEANUP(temp_file_remove) struct temp_file file = temp_file(pin);
        const char *texts[] = { "env:KEYSTAY_UNIT_PIN", text };

        (void)snprintf(text, sizeof(text), "file:%s", file.path);
        for (size_t j = 0; j < ARRAY_LEN(texts); j++) {
            if (lens[i] <= PIN_LEN_MAX) {
                assert_gives(texts[j], pin);
            } else {
                assert_gives_nothing(texts[j], "longer than 1024 bytes");
            }
        }
        content[lens[i]] = '7';
    }
    assert_gives_nothing("exec:/usr/bin/head -c 1025 /dev/zero", "longer than 1024 bytes");
    assert_gives_nothing("file:/dev/zero", "longer than");
}

TEST(files_that_are_none_are_told)
{
    assert_gives_nothing("file:/nonexistent/pin", "No such file");
    assert_gives_nothing("file:/tmp", "is a folder");
    assert_gives_nothing("file:/nonexistent/\x1B[2J", "cannot be opened");
}

/* A command that silently loses its last words does something else than it was told. */
TEST(a_command_with_too_many_words_is_refused_and_not_cut)
{
    char text[200] = "exec:/bin/echo";
    CLEANUP(secret_clear) struct secret pin = { 0 };

    for (int i = 0; i < 40; i++) {
        (void)snprintf(text + strlen(text), 4, " %d", i % 10);
    }
    if (get(text, &pin, NULL) == KEYSTAY_OK) {
        assert_int_equal(pin.len, 40 * 2 - 1);
    }
}

static int ask_on_no_terminal(void *context)
{
    struct secret pin = { 0 };

    return (int)get("tty", &pin, context);
}

TEST(without_a_terminal_tty_gives_nothing)
{
    assert_int_equal(in_child_without_terminal(ask_on_no_terminal, NULL), KEYSTAY_E_PIN_SOURCE);
}

TEST(what_is_known_of_the_tries_is_said_without_a_number)
{
    static const char last[] = "one more wrong PIN locks the token";
    static const char wrong[] = "the last PIN was wrong, and the token does not say how many more lock it";
    static const char counted[] = "the token has counted a wrong PIN, and does not say how many more lock it";
    static const char *const words[PIN_TRIES_ALL + 1] = { "", wrong, counted, wrong, last, last, last, last };

    for (unsigned int tries = 0; tries <= PIN_TRIES_ALL; tries++) {
        assert_string_equal(pin_tries_words(tries), words[tries]);
    }
}

TEST(a_password_has_words_of_its_own)
{
    static const struct {
        const char *text;
        const char *why;
    } bad[] = {
        { "4711", "--password-source must be" }, { "pinentry", "--password-source must be" },
        { "none", "--password-source must be" }, { "", "--password-source must be" },
        { "fd:x", "--password-source fd:N" },    { "credential:a/b", "--password-source credential" }
    };
    const struct pin_question question = { "app.pfx", "", LONG_TIME_MS, 0 };
    KEPT_ENV env = env_set("KEYSTAY_TEST_PASSWORD", "s3cret\n");
    CLEANUP(secret_clear) struct secret password = { 0 };
    struct keystay_error err = { 0 };
    struct pin_source source;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_row(password_source_parse(bad[i].text, &source, &err) == KEYSTAY_E_CONFIG, bad[i].text);
        assert_contains(err.message, bad[i].why);
        assert_lacks(err.message, "4711");
        assert_lacks(err.message, "PIN");
    }
    assert_ok(password_source_parse("env:KEYSTAY_TEST_PASSWORD", &source, NULL));
    assert_ok(pin_source_get(&source, &question, NULL, &password, NULL));
    assert_slice(secret_slice(&password), "s3cret");
    assert_ok(password_source_parse("env:KEYSTAY_NO_SUCH", &source, NULL));
    assert_int_equal(pin_source_get(&source, &question, NULL, &password, &err), KEYSTAY_E_PIN_SOURCE);
    assert_contains(err.message, "the password's environment variable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_source_is_refused_and_never_repeated),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(a_uris_source_is_a_file_and_nothing_else),
        cmocka_unit_test(what_a_pin_pad_asks_for_cannot_be_got_here),
        cmocka_unit_test(every_form_is_understood),
        cmocka_unit_test(a_file_gives_what_is_in_it_less_one_line_end),
        cmocka_unit_test(a_file_that_others_can_read_is_warned_of),
        cmocka_unit_test(a_descriptor_is_read_to_its_end_once),
        cmocka_unit_test(the_environment_gives_a_pin),
        cmocka_unit_test(a_credential_is_a_file_of_the_units_folder),
        cmocka_unit_test(a_command_gives_its_output),
        cmocka_unit_test(no_shell_reads_a_command),
        cmocka_unit_test(a_command_that_fails_gives_no_pin),
        cmocka_unit_test(an_empty_command_is_refused),
        cmocka_unit_test(a_slow_command_is_ended),
        cmocka_unit_test(a_silent_descriptor_is_not_waited_for_beyond_the_time),
        cmocka_unit_test(a_pin_has_a_longest_length),
        cmocka_unit_test(files_that_are_none_are_told),
        cmocka_unit_test(a_command_with_too_many_words_is_refused_and_not_cut),
        cmocka_unit_test(without_a_terminal_tty_gives_nothing),
        cmocka_unit_test(what_is_known_of_the_tries_is_said_without_a_number),
        cmocka_unit_test(a_password_has_words_of_its_own),
    };

    return RUN_TESTS(tests);
}
