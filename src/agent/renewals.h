/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_RENEWALS_H
#define AGENT_RENEWALS_H

/*
 * Tokens are renewed ahead of need, by jobs that nobody waits for: those that are due and have been handed
 * out since they were got. What nobody wanted in all its life is not renewed again, so an agent that nobody
 * asks falls silent.
 */

#include "agent/agent.h"

/* About once a second. */
void renewals_tick(struct agent *agent, int64_t now_ms);

#endif
