/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_AGENT_FIXTURE_H
#define UNIT_AGENT_FIXTURE_H

/* A configuration of the agent from text, as a user whose agent it would be. */

#include "agent/agent_config.h"

enum { FIXTURE_OWNER = 1000, FIXTURE_NOBODY = 65534 };

/* The agent's own user is 1000, its folder /run/user/1000, and a stranger 65534. */
struct agent_host fixture_host(void);

/* The text of the system's file may be NULL. */
enum keystay_status fixture_config(
    const char *of_system, const char *of_user, const struct agent_host *host,
    struct agent_config **ret_config, struct keystay_error *err);

/* One file, which must be good. */
struct agent_config *fixture_good(const char *text);

#endif
