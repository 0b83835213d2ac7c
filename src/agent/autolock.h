/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_AUTOLOCK_H
#define AGENT_AUTOLOCK_H

/*
 * Locks by itself what a person has unlocked: when nobody has asked for a token for lock_after, and when the
 * machine has slept, for who wakes it may be another. Profiles whose PIN comes from elsewhere are left alone:
 * they would be locked for no one's good.
 */

#include "agent/agent.h"

/* About once a second. */
void autolock_tick(struct agent *agent);

#endif
