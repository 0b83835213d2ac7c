/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_AGENT_TOKEN_H
#define CLI_AGENT_TOKEN_H

/* A token, or an assertion, of an agent that runs. */

#include "cli/cli.h"
#include "keystay/token.h"

/*
 * *ret_token is owned; NULL: the caller goes on by itself, because no agent is to be asked, there is none, or
 * it has nothing for this user. An assertion is asked for only where --agent always says so.
 */
enum keystay_status agent_token(
    struct cli *cli, bool is_assertion, struct keystay_token **ret_token, struct keystay_error *err);

#endif
