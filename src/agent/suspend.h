/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SUSPEND_H
#define AGENT_SUSPEND_H

/*
 * Has systemd-logind wait with the machine's sleep until what a person has unlocked is locked. Without
 * systemd, and while its bus or logind is away, autolock goes by what the clocks show when the machine wakes
 * up.
 */

#include "agent/agent.h"

/* Begins when the configuration wants it (lock_on_suspend), and lets logind be when it does not. About once a
 * second; waits for nothing. */
void suspend_tick(struct agent *agent, bool is_wanted);

/* Waits for a lock that is under way. */
void suspend_end(struct agent *agent);

#endif
