/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_COMMAND_LINE_H
#define AGENT_COMMAND_LINE_H

/* The words that keystay-agent is started with. */

#include <stdbool.h>

#include "base/base.h"

struct command_line {
    const char *config_path; /* borrowed from argv; NULL: the usual files */
    bool is_verbose;
    bool is_for_command; /* keystay exec starts it so, and nobody else */
    const char *print;   /* static: only this is wanted, on stdout; NULL: it is to serve */
};

/* KEYSTAY_E_USAGE names the word that is wrong. */
enum keystay_status command_line_read(
    int argc, char **argv, struct command_line *ret_line, struct keystay_error *err);

#endif
