/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGNERD_GUARD_H
#define SIGNERD_GUARD_H

#include "base/base.h"

/*
 * What must be true of the process before it hears of a module or a PIN: no core file, nobody may trace it,
 * no new privileges, signals from a terminal are its program's business, and (where libseccomp is there) none
 * of the system calls that no module needs and that would be of use to one that was taken over.
 */
enum keystay_status guard_process(struct keystay_error *err);

#endif
