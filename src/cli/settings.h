/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

/* Where settings come from besides the command line. */

#include "cli/cli.h"
#include "core/config.h"

/* The files that --config, KEYSTAY_CONFIG or nobody named. The caller clears *config, also after a failure.
 */
enum keystay_status settings_read_config(
    const struct cli *cli, struct config *config, struct keystay_error *err);

/* The same into cli->config, once. */
enum keystay_status settings_config(struct cli *cli, struct keystay_error *err);

/*
 * Fills the profile of a command that has settings: to its flags comes what the configuration says of the
 * profile that the command line names, if it does, and the environment.
 */
enum keystay_status settings_read(struct cli *cli, struct keystay_error *err);

#endif
