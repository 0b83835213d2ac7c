/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_ENVIRONMENTS_H
#define AGENT_ENVIRONMENTS_H

/*
 * NAME.env for each [grant NAME] with environment = yes: what a unit's EnvironmentFile= gives to the Azure
 * SDK of its program, so that this asks the agent. It stands below $RUNTIME_DIRECTORY, or in the folder of
 * the agent's socket, and outlives the agent.
 */

#include "agent/agent.h"

enum keystay_status environments_new(struct environments **ret_environments, struct keystay_error *err);

/*
 * Writes the files that the present configuration asks for, and removes the others. A header goes on as long
 * as its grant is for the same profile: a program that has read it has no reason to read it again. The first
 * time it also takes back the headers of an agent of before, from files that are as that one has left them.
 */
enum keystay_status environments_refresh(struct agent *agent, struct keystay_error *err);

/* Writes none any more. The files stay, for the agent that comes next. NULL is fine. */
void environments_end(struct environments *environments);
void environments_freep(struct environments **environments);

#endif
