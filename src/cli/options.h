/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli/cli.h"

/*
 * Parses argv into cli: the global options, the command, its options. It reads on after an error, so that
 * --error-format counts wherever it stands, and returns the first. KEYSTAY_E_USAGE, or KEYSTAY_E_CONFIG for a
 * value out of range.
 */
enum keystay_status options_parse(int argc, char **argv, struct cli *cli, struct keystay_error *err);

/* Says that there is no command of that name, and what may have been meant. both: first with the word after
 * it. */
enum keystay_status options_unknown_command(const char *first, const char *both, struct keystay_error *err);

#endif
