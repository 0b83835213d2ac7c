/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_POLICY_H
#define AGENT_POLICY_H

/*
 * Who may what: a function of the configuration, the caller and what is asked for, and of nothing else.
 *
 * - A token of any profile, for any scope: the agent's own user. For others what a grant says: its profile,
 *   to its users and groups, there only to its units, for the profile's own scope and the grant's.
 * - An assertion is a token for every scope of the client: only by a grant that says so, also for the agent's
 *   own user; and only on the Unix socket. Whether the grant names scopes makes no difference to it.
 * - Control (status, reload, forget, lock, unlock): the agent's own user and root, on the Unix socket only.
 * - Metrics: these two, and whom the configuration names.
 * - Root has no tokens but by a grant: it could take them, but then on purpose.
 * - A caller with an id that the system shows for any stranger has nothing, nor has a group of that kind a
 *   say. A caller's unit that is not known is no unit.
 *
 * A refusal is for the log. The caller is told the same whatever it is, a profile that does not exist
 * included.
 */

#include "agent/agent_config.h"
#include "peer/peer.h"

enum policy_right {
    POLICY_TOKEN, /* also what nginx injects, or an SDK gets */
    POLICY_ASSERTION,
    POLICY_CONTROL,
    POLICY_METRICS,
};

/* In the order of how near the caller came: the last one that holds for any of the grants is the reason. */
enum policy_verdict {
    POLICY_NOT_GRANTED,
    POLICY_STRANGER,
    POLICY_MALFORMED,
    POLICY_WRONG_LISTENER,
    POLICY_SEVERAL_PROFILES,
    POLICY_WRONG_UNIT,
    POLICY_NO_ASSERTION,
    POLICY_WRONG_SCOPE,
    POLICY_ALLOWED,
    POLICY_VERDICTS,
};

/* Everything is borrowed. For control and metrics only the right counts. */
struct policy_request {
    enum policy_right right;
    const char *profile;
    const char *scope;         /* scopes or one resource, as asked for; NULL: the profile's own */
    const char *own_scope;     /* what the profile asks for by itself, its scope or resource; NULL: nothing */
    const struct grant *grant; /* NULL, or the only grant to go by: the one whose header the caller has */
};

/*
 * *ret_grant, which may be NULL, is the grant by which it is allowed, borrowed; NULL: by being the agent's
 * own user, root, or named for metrics. It is written only with POLICY_ALLOWED.
 */
enum policy_verdict policy_decide(
    const struct agent_config *config, const struct peer *peer, const struct policy_request *request,
    const struct grant **ret_grant);

/*
 * Whether the caller's unit makes a difference and is not known: then peer_find_unit comes before
 * policy_decide, or policy_single_profile, for which profile is NULL. Nobody but those whom a grant names for
 * that profile can cause the work.
 */
bool policy_wants_unit(
    const struct agent_config *config, const struct peer *peer, const struct policy_request *request);

/*
 * The one profile that a caller may have tokens of, for a protocol in which it cannot name one: borrowed from
 * config. More than one is POLICY_SEVERAL_PROFILES. It says nothing of the scope, so policy_decide comes
 * next.
 */
enum policy_verdict policy_single_profile(
    const struct agent_config *config, const struct peer *peer, const char **ret_profile);

/* Whether there is anything that the caller may, in one unit or another. */
bool policy_knows(const struct agent_config *config, const struct peer *peer);

/* Whether two are the same, or one is a resource R and the other the scope R/.default. */
bool policy_is_same_scope(struct slice a, struct slice b);

/* For the log: what is missing. Static. */
const char *policy_verdict_text(enum policy_verdict verdict);

#endif
