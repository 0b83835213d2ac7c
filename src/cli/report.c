/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report.h"

#include <unistd.h>

#include "base/error_json.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/str.h"

enum { REPORT_MAX = 16 * 1024 };

static enum keystay_status put_field(struct buf *to, const char *label, const char *value)
{
    if (value[0] == '\0') {
        return KEYSTAY_OK;
    }
    TRY(buf_puts(to, "\n  ", NULL));
    TRY(buf_puts(to, label, NULL));
    return buf_puts(to, value, NULL);
}

static enum keystay_status format_text(const struct keystay_error *error, struct buf *to)
{
    TRY(buf_puts(to, "keystay: ", NULL));
    TRY(buf_puts(to, error->message, NULL));
    TRY(put_field(to, "try: ", error->hint));
    TRY(put_field(to, "trace id: ", error->trace_id));
    TRY(put_field(to, "correlation id: ", error->correlation_id));
    return buf_putc(to, '\n', NULL);
}

static enum keystay_status format_json(const struct keystay_error *error, struct buf *to)
{
    TRY(error_json_write(error, to));
    return buf_putc(to, '\n', NULL);
}

static bool wants_json(const struct cli *cli)
{
    const char *format = cli->values[CLI_ERROR_FORMAT];

    return format != NULL && str_equal(format, "json");
}

enum keystay_status report_format(
    const struct cli *cli, const struct keystay_error *error, struct buf *ret_text)
{
    return wants_json(cli) ? format_json(error, ret_text) : format_text(error, ret_text);
}

void report_error(const struct cli *cli, const struct keystay_error *error)
{
    CLEANUP(buf_clear) struct buf text = BUF(REPORT_MAX);

    if (report_format(cli, error, &text) == KEYSTAY_OK) {
        (void)file_write_all(STDERR_FILENO, buf_slice(&text), NULL);
    }
}

/* How each level is called in JSON, and what a line of it begins with. */
static const struct {
    const char *member;
    const char *start;
} levels[] = {
    [KEYSTAY_LOG_STEP] = { "step", "keystay: " },
    [KEYSTAY_LOG_WARNING] = { "warning", "keystay: warning: " },
    [KEYSTAY_LOG_WAIT] = { "wait", "keystay: " },
};

static enum keystay_status format_line(
    const struct cli *cli, enum keystay_log_level level, const char *text, struct buf *to)
{
    struct json_write out = JSON_WRITE(to);

    if (wants_json(cli)) {
        TRY(json_write_str(&out, levels[level].member, text, NULL));
        TRY(json_write_end(&out, NULL));
    } else {
        TRY(buf_puts(to, levels[level].start, NULL));
        TRY(buf_puts(to, text, NULL));
    }
    return buf_putc(to, '\n', NULL);
}

/* A pause is for whoever sits there and wonders. */
static bool is_wanted(const struct cli *cli, enum keystay_log_level level)
{
    switch (level) {
    case KEYSTAY_LOG_WARNING:
        return !cli_given(cli, CLI_QUIET);
    case KEYSTAY_LOG_WAIT:
        return cli_given(cli, CLI_VERBOSE) || (!cli_given(cli, CLI_QUIET) && isatty(STDERR_FILENO));
    case KEYSTAY_LOG_STEP:
        break;
    }
    return cli_given(cli, CLI_VERBOSE);
}

void report_log_line(void *context, enum keystay_log_level level, const char *text)
{
    const struct cli *cli = context;
    CLEANUP(buf_clear) struct buf line = BUF(REPORT_MAX);

    if (is_wanted(cli, level) && format_line(cli, level, text, &line) == KEYSTAY_OK) {
        (void)file_write_all(STDERR_FILENO, buf_slice(&line), NULL);
    }
}
