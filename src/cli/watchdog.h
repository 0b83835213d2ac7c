/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_WATCHDOG_H
#define CLI_WATCHDOG_H

/*
 * A module can hang, and a call into it cannot be taken back. The watchdog is a thread that looks at the call
 * in progress; when one takes longer than --timeout it says which, and ends the process with exit status 4.
 */

#include "cli/cli.h"
#include "keystay/pkcs11.h"

/*
 * Starts it; there is one in a process, and it lives as long as that. cli and err are borrowed for good. err
 * is where the work's error will stand: when C_Finalize hangs after the work has failed, that error is said
 * too, and counts.
 */
enum keystay_status watchdog_start(
    const struct cli *cli, struct keystay_error *err, const struct keystay_call_watch **ret_watch);

/*
 * The watch for a module that another process loads: there the deadline is kept by who waits for that
 * process, and only a person is told when C_Sign lasts. Static.
 */
extern const struct keystay_call_watch watchdog_of_another;

/* The work has succeeded: a C_Finalize that hangs now is worth a remark, and exit status 0. */
void watchdog_forgive(void);

#endif
