/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_AGENT_PROGRAM_H
#define CLI_AGENT_PROGRAM_H

/* keystay-agent, the program. */

#include "cli/agent_client.h"

/* Where it is: that of this installation, unless KEYSTAY_AGENT_PROGRAM names another. Static. */
const char *agent_program(void);

enum { AGENT_PROGRAM_WORDS = 6 };

/* Its command line: what of ours concerns it, and one word more, or NULL. Words are borrowed. */
void agent_program_words(const struct cli *cli, const char *word, char *ret_words[AGENT_PROGRAM_WORDS]);

/*
 * Starts one for this process and whatever this becomes: it ends with it, and nobody else reaches it. No
 * child is left to wait for. What *client is asked waits until it is ready.
 */
enum keystay_status agent_program_start(
    const struct cli *cli, struct agent_client *client, struct keystay_error *err);

#endif
