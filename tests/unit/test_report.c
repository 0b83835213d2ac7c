/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/report.h"

/* Of src/cli/main.c. */
bool cli_given(const struct cli *cli, enum cli_option_id id)
{
    return cli->values[id] != NULL;
}

static const struct cli as_text = { 0 };
static const struct cli as_json = { .values = { [CLI_ERROR_FORMAT] = "json" } };

static const struct keystay_error small = { .status = KEYSTAY_E_CONFIG, .message = "no tenant is given" };

/* Everything filled in. */
static const struct keystay_error large = {
    .status = KEYSTAY_E_SERVER_REFUSED,
    .http_status = 401,
    .ck_rv = 0x80000001UL,
    .aadsts = 700027,
    .oauth_error = "invalid_client",
    .trace_id = "t-1",
    .correlation_id = "c-1",
    .message = "it said \"no\"\n  twice",
    .hint = "ask again",
};

/* What fn writes to stderr. */
static void stderr_of(void (*fn)(const struct cli *cli), const struct cli *cli, struct buf *ret_text)
{
    int ends[2] = { -1, -1 };
    int kept = dup(STDERR_FILENO);

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    fn(cli);
    (void)fflush(stderr);
    assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    file_closep(&kept);
    file_closep(&ends[1]);
    assert_ok(file_read_fd(ends[0], "the pipe", KEYSTAY_E_INTERNAL, 1000, ret_text, NULL));
    file_closep(&ends[0]);
}

static void assert_report(const struct cli *cli, const struct keystay_error *error, const char *wanted)
{
    CLEANUP(buf_clear) struct buf text = BUF(1 << 14);

    assert_ok(report_format(cli, error, &text));
    assert_buf(&text, wanted);
}

TEST(an_error_that_was_never_set_is_no_crash)
{
    const struct keystay_error nothing = { 0 };

    assert_report(&as_text, &nothing, "keystay: \n");
    assert_report(&as_json, &nothing, "{\"status\":\"ok\",\"exit_status\":0,\"message\":\"\"}\n");
}

TEST(a_full_buffer_is_refused)
{
    CLEANUP(buf_clear) struct buf text = BUF(8);

    assert_int_equal(report_format(&as_text, &small, &text), KEYSTAY_E_NO_MEMORY);
    buf_clear(&text);
    assert_int_equal(report_format(&as_json, &small, &text), KEYSTAY_E_NO_MEMORY);
}

TEST(text_has_what_a_person_needs)
{
    static const struct cli asked = { .values = { [CLI_ERROR_FORMAT] = "text" } };

    assert_report(&as_text, &small, "keystay: no tenant is given\n");
    assert_report(&asked, &small, "keystay: no tenant is given\n");
    assert_report(
        &as_text, &large,
        "keystay: it said \"no\"\n  twice\n  try: ask again\n  trace id: t-1\n  correlation id: c-1\n");
}

TEST(json_has_what_a_program_needs)
{
    assert_report(
        &as_json, &small, "{\"status\":\"config\",\"exit_status\":3,\"message\":\"no tenant is given\"}\n");
    assert_report(
        &as_json, &large,
        "{\"status\":\"server_refused\",\"exit_status\":6,\"message\":\"it said \\\"no\\\"\\u000a  twice\","
        "\"hint\":\"ask again\",\"http_status\":401,\"ck_rv\":2147483649,\"oauth_error\":\"invalid_client\","
        "\"aadsts\":700027,\"trace_id\":\"t-1\",\"correlation_id\":\"c-1\"}\n");
}

TEST(every_status_has_a_name_and_an_exit_status)
{
    for (int status = KEYSTAY_E_USAGE; status <= KEYSTAY_E_KEY_FILE; status++) {
        CLEANUP(buf_clear) struct buf text = BUF(1 << 14);
        CLEANUP(json_freep) struct json *json = NULL;
        struct keystay_error error = small;
        const char *name = NULL;
        int64_t exit_status = 0;

        error.status = (enum keystay_status)status;
        assert_ok(report_format(&as_json, &error, &text));
        assert_ok(json_parse_object(buf_slice(&text), &json, NULL));
        assert_ok(json_get_str(json, "status", &name, NULL));
        assert_string_equal(name, keystay_status_name(error.status));
        assert_ok(json_get_i64(json, "exit_status", &exit_status, NULL));
        assert_int_equal(exit_status, keystay_status_exit(error.status));
    }
}

static void report_large(const struct cli *cli)
{
    report_error(cli, &large);
}

TEST(an_error_goes_to_stderr)
{
    static const struct cli quiet = { .values = { [CLI_QUIET] = "" } };
    CLEANUP(buf_clear) struct buf written = BUF(1 << 14);
    CLEANUP(buf_clear) struct buf wanted = BUF(1 << 14);

    assert_ok(report_format(&as_text, &large, &wanted));
    stderr_of(report_large, &quiet, &written); /* --quiet is about warnings */
    assert_buf(&written, buf_str(&wanted));
}

static void log_each(const struct cli *cli)
{
    report_log_line(drop_const(cli), KEYSTAY_LOG_STEP, "a \"step\"");
    report_log_line(drop_const(cli), KEYSTAY_LOG_WARNING, "a warning");
    report_log_line(drop_const(cli), KEYSTAY_LOG_WAIT, "waiting"); /* no terminal watches here */
}

TEST(remarks_are_as_loud_as_asked)
{
    static const struct {
        struct cli cli;
        const char *text;
    } rows[] = {
        { { .values = { NULL } }, "keystay: warning: a warning\n" },
        { { .values = { [CLI_VERBOSE] = "" } },
          "keystay: a \"step\"\nkeystay: warning: a warning\nkeystay: waiting\n" },
        { { .values = { [CLI_QUIET] = "" } }, "" },
        { { .values = { [CLI_VERBOSE] = "", [CLI_QUIET] = "" } }, "keystay: a \"step\"\nkeystay: waiting\n" },
        { { .values = { [CLI_VERBOSE] = "", [CLI_ERROR_FORMAT] = "json" } },
          "{\"step\":\"a \\\"step\\\"\"}\n{\"warning\":\"a warning\"}\n{\"wait\":\"waiting\"}\n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf text = BUF(1 << 14);
        stderr_of(log_each, &rows[i].cli, &text);
        assert_buf(&text, rows[i].text);
    }
}

/* PKCS #11 has no signed CK_RV: all bits set is a number that some module may give. */
TEST(a_large_ck_rv_is_not_negative)
{
    CLEANUP(buf_clear) struct buf text = BUF(1 << 14);
    struct keystay_error error = small;

    error.ck_rv = (unsigned long)-1;
    assert_ok(report_format(&as_json, &error, &text));
    assert_lacks(buf_str(&text), "\"ck_rv\":-");
}

TEST(the_longest_error_is_reported_whole)
{
    CLEANUP(buf_clear) struct buf written = BUF(1 << 15);
    CLEANUP(json_freep) struct json *json = NULL;
    struct keystay_error error = large;
    const char *message = NULL;

    memset(error.message, '"', sizeof(error.message) - 1);
    memset(error.hint, '\\', sizeof(error.hint) - 1);
    assert_ok(report_format(&as_json, &error, &written));
    assert_ok(json_parse_object(buf_slice(&written), &json, NULL));
    assert_ok(json_get_str(json, "message", &message, NULL));
    assert_string_equal(message, error.message);
    assert_int_equal(strlen(json_str_or_null(json, "hint")), KEYSTAY_ERROR_HINT_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_that_was_never_set_is_no_crash),
        cmocka_unit_test(a_full_buffer_is_refused),
        cmocka_unit_test(text_has_what_a_person_needs),
        cmocka_unit_test(json_has_what_a_program_needs),
        cmocka_unit_test(every_status_has_a_name_and_an_exit_status),
        cmocka_unit_test(an_error_goes_to_stderr),
        cmocka_unit_test(remarks_are_as_loud_as_asked),
        cmocka_unit_test(a_large_ck_rv_is_not_negative),
        cmocka_unit_test(the_longest_error_is_reported_whole),
    };

    return RUN_TESTS(tests);
}
