/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_RENEWAL_H
#define CLI_RENEWAL_H

/*
 * A certificate that ends soon is warned about while there is time: a new one must be registered with the
 * server before. Once a day each, so that a job that runs every minute is still read.
 */

#include "base/log.h"
#include "crypto/certificate.h"

enum { RENEWAL_WARNING_S = 30 * 24 * 60 * 60 };

/*
 * Warns, unless it was warned about in the last day: a file in the state folder (state_dir_open) says when
 * that was. Without a folder it is each time. It never fails.
 */
void renewal_warn(
    const struct certificate *certificate, const char *state_dir, int64_t now_s,
    const struct keystay_log *log);

#endif
