/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

/* Everything that goes to stderr. */

#include "base/buf.h"
#include "cli/cli.h"

/* Says an error as --error-format asks. */
void report_error(const struct cli *cli, const struct keystay_error *error);

/* What report_error would write, for the watchdog, which must not use stdio. */
enum keystay_status report_format(
    const struct cli *cli, const struct keystay_error *error, struct buf *ret_text);

/* The receiver of the library's remarks: context is a struct cli. */
void report_log_line(void *context, enum keystay_log_level level, const char *text);

#endif
