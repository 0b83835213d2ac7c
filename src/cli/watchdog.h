/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_WATCHDOG_H
#define CLI_WATCHDOG_H

/*
 * A module can hang, and a call into it cannot be taken back. The watchdog is a thread that looks at the call
 * in progress; when one takes longer than --timeout it says which, and ends the process with exit status 4.
 */

#include "cli/cli.h"
#include "keystay/pkcs11.h"

/* Starts it; there is one in a process, and it lives as long as that. cli is borrowed for good. */
enum keystay_status watchdog_start(
    const struct cli *cli, const struct keystay_call_watch **ret_watch, struct keystay_error *err);

/* From now on the work is done: a call that hangs while things are put away is worth a warning and status 0.
 */
void watchdog_forgive(void);

#endif
