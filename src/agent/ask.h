/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_ASK_H
#define AGENT_ASK_H

/* From a request for a token to its answer: at once where the token is in memory, else when the job is done.
 */

#include "agent/agent.h"
#include "agent/reply.h"
#include "base/json_write.h"
#include "oauth/access_token.h"

enum { TOKEN_BODY_MAX = 2 * TOKEN_LEN_MAX }; /* of an answer with a token */

/* How a token is written for one kind of caller. Static. */
struct form {
    enum dialect dialect;
    /* Answers the request. */
    void (*give)(struct request *request, const struct holder *holder, const struct keystay_token *token);
};

/* Answers the request sooner or later. */
void ask(
    struct agent *agent, struct request *request, struct holder *holder, const struct wish *wish,
    const struct form *form);

/* A job_answer: for the request of an earlier ask. */
void ask_answer(void *context, struct request *request, const struct outcome *outcome);

#endif
