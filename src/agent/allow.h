/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_ALLOW_H
#define AGENT_ALLOW_H

/* The policy, asked for one request: whoever may not is answered, counted, and told of in the log. */

#include "agent/agent.h"
#include "agent/policy.h"
#include "agent/reply.h"

/* One request and who stands behind it. */
struct claimant {
    struct agent *agent;
    struct request *request;
    enum dialect dialect;
    const struct world *world;
    const struct peer *who; /* the caller, or on whose behalf it is */
};

/*
 * Whether a token (or what right says) of a profile may be given for the wish; false: it was answered. On
 * true *ret_holder is the profile's, borrowed from the world. grant: NULL, or the only one to go by.
 */
bool allow_token(
    const struct claimant *claimant, enum policy_right right, const char *profile, const struct wish *wish,
    const struct grant *grant, struct holder **ret_holder);

/* The one profile that the caller may have tokens of, borrowed from the world; false: it was answered. */
bool allow_single_profile(const struct claimant *claimant, const char **ret_profile);

/* Whether the agent may be steered, or looked at; false: it was answered. */
bool allow_steering(const struct claimant *claimant, enum policy_right right);

/* Answers and tells that somebody may not. why is for the log alone. */
void allow_refuse(const struct claimant *claimant, const char *what, const char *why);

/* The same for what the caller may be told: it is counted and told of, and the answer is still to be given.
 */
void allow_note_refusal(const struct claimant *claimant, const char *what, const char *why);

#endif
