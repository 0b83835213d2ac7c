/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_ASSERTION_FILES_H
#define AGENT_ASSERTION_FILES_H

/*
 * A fresh assertion in the assertion_file of each [grant] that has one, for what reads
 * AZURE_FEDERATED_TOKEN_FILE and its like. Whoever can read the file can get any token of the client until
 * the assertion ends.
 *
 * SDKs keep what they have read for up to ten minutes. So it lives for 25 and is replaced every five; one
 * that cannot be replaced stays until it ends.
 */

#include "agent/agent.h"

/* log is borrowed for its life. */
enum keystay_status assertion_files_new(
    const struct keystay_log *log, struct assertion_files **ret_files, struct keystay_error *err);

/* Goes by the present configuration: files that it does not name are removed, all others made anew soon. */
enum keystay_status assertion_files_refresh(struct agent *agent, struct keystay_error *err);

/* Has those that are due made by jobs. About once a second. */
void assertion_files_tick(struct agent *agent, int64_t now_ms);

/* Removes the files, and makes none any more. NULL is fine, here and below. */
void assertion_files_end(struct assertion_files *files);

/* All jobs have ended. */
void assertion_files_freep(struct assertion_files **files);

#endif
