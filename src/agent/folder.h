/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_FOLDER_H
#define AGENT_FOLDER_H

#include "keystay/error.h"

/*
 * KEYSTAY_E_CONFIG: others than root and the agent's own user can put a file of theirs in the place of this
 * one (path, absolute; it need not be there). Whoever can gives a service the variables that it is started
 * with, or listens where callers believe to find the agent.
 */
enum keystay_status folder_check(const char *path, struct keystay_error *err);

#endif
