/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

/* Where a command's result goes that may be wanted in a file: --out, else stdout. */

#include "cli/cli.h"

/* Before anything is done for it: whether the file of --out is there already, which somebody else may use.
 * KEYSTAY_E_USAGE. */
enum keystay_status out_check(const struct cli *cli, struct keystay_error *err);

/* Writes it: to a new file, never over one. */
enum keystay_status out_write(const struct cli *cli, struct slice content, struct keystay_error *err);

#endif
