/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_AUTOLOCK_H
#define AGENT_AUTOLOCK_H

/*
 * Locks by itself what a person has unlocked: when nobody has asked for a token for lock_after, and when the
 * machine sleeps, for who wakes it may be another: before, where logind says so (suspend.h), and else when it
 * has woken up. Profiles whose PIN comes from elsewhere are left alone: they would be locked for no one's
 * good.
 */

#include "agent/agent.h"

/* Whatever a person has unlocked, or is unlocking; waits some seconds for what is being signed, and until the
 * signers have ended. */
void autolock_before_sleep(struct agent *agent);

/* About once a second. */
void autolock_tick(struct agent *agent);

#endif
