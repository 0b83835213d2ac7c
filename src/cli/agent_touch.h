/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_AGENT_TOUCH_H
#define CLI_AGENT_TOUCH_H

/*
 * Who waits at a terminal for an agent's answer is told when a signature takes its time: the key may want to
 * be touched, and the agent has nobody to tell. It is asked how it is, over a connection of its own.
 */

#include "cli/agent_client.h"

/* Begins, in a thread of its own; without a terminal it does nothing. profile and client are not borrowed. */
void agent_touch_begin(const struct cli *cli, const struct agent_client *client, const char *profile);

/* The answer is there: from here on nothing is said. After each begin; it does not wait for the agent. */
void agent_touch_end(void);

#endif
