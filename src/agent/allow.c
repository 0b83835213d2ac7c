/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/allow.h"

#include <stdio.h>

#include "agent/grant.h"
#include "agent/journal.h"
#include "base/error.h"

enum { BAD_REQUEST = 400, FORBIDDEN = 403, NOT_FOUND = 404, WHAT_SIZE = 128 };

void allow_note_refusal(const struct claimant *claimant, const char *what, const char *why)
{
    const struct peer *peer = request_peer(claimant->request);
    char process[32] = "";

    (void)atomic_fetch_add(&claimant->agent->counts.refused, 1);
    if (peer->pid > 0) { /* not known over TCP */
        (void)snprintf(process, sizeof(process), " (process %d)", (int)peer->pid);
    }
    journal_warn(
        claimant->agent->log, process, "refused: %s for user %u%s%s: %s", what, (unsigned int)peer->uid,
        peer->unit[0] == '\0' ? "" : ", unit ", peer->unit, why);
}

void allow_refuse(const struct claimant *claimant, const char *what, const char *why)
{
    allow_note_refusal(claimant, what, why);
    reply_refusal(
        claimant->request, claimant->dialect, FORBIDDEN, KEYSTAY_E_SERVER_REFUSED,
        "the agent may not do that for user %u; its log says why",
        (unsigned int)request_peer(claimant->request)->uid);
}

/* What a profile asks for by itself. */
static const char *own_scope(const struct holder *holder)
{
    const struct keystay_profile *profile = holder == NULL ? NULL : holder_profile(holder);
    const char *scope = profile == NULL ? NULL : profile_text(profile, SETTING_SCOPE);

    return scope != NULL || profile == NULL ? scope : profile_text(profile, SETTING_RESOURCE);
}

/* Of a caller over TCP it costs something to know, and mostly says nothing. */
static void find_unit(const struct claimant *claimant, const struct policy_request *request)
{
    if (claimant->who == request_peer(claimant->request) &&
        policy_wants_unit(claimant->world->config, claimant->who, request)) {
        request_find_unit(claimant->request);
    }
}

bool allow_token(
    const struct claimant *claimant, enum policy_right right, const char *profile, const struct wish *wish,
    const struct grant *grant, struct holder **ret_holder)
{
    struct holder *holder = world_find(claimant->world, profile);
    const struct policy_request request = {
        .right = right,
        .profile = profile,
        .scope = wish->scope != NULL ? wish->scope : wish->resource,
        .own_scope = own_scope(holder),
        .grant = grant,
    };
    char what[WHAT_SIZE];

    find_unit(claimant, &request);
    const enum policy_verdict verdict = policy_decide(claimant->world->config, claimant->who, &request, NULL);

    if (verdict != POLICY_ALLOWED) {
        /* Who is refused does not choose what stands in the log: other words each time would hide the rest.
         */
        const bool is_there = text_list_has(&claimant->world->config->profiles, profile);

        (void)snprintf(
            what, sizeof(what), "%s of %s%s", right == POLICY_ASSERTION ? "an assertion" : "a token",
            is_there ? "profile " : "a profile that is not there", is_there ? profile : "");
        allow_refuse(claimant, what, policy_verdict_text(verdict));
        return false;
    }
    if (holder == NULL) {
        const char *near = world_suggest(claimant->world, profile);

        /* Azure's SDKs try a 404 again. */
        reply_refusal(
            claimant->request, claimant->dialect,
            claimant->dialect == DIALECT_NATIVE ? NOT_FOUND : BAD_REQUEST, KEYSTAY_E_CONFIG,
            "the agent has no profile of that name; %s%s",
            near == NULL ? "keystay agent status lists them" : "did you mean ", near == NULL ? "" : near);
        return false;
    }
    *ret_holder = holder;
    return true;
}

bool allow_single_profile(const struct claimant *claimant, const char **ret_profile)
{
    const struct policy_request request = { .right = POLICY_TOKEN };

    find_unit(claimant, &request);
    const enum policy_verdict verdict =
        policy_single_profile(claimant->world->config, claimant->who, ret_profile);
    if (verdict != POLICY_ALLOWED) {
        allow_refuse(claimant, "a token by IMDS", policy_verdict_text(verdict));
    }
    return verdict == POLICY_ALLOWED;
}

bool allow_steering(const struct claimant *claimant, enum policy_right right)
{
    const struct policy_request request = { .right = right };
    const enum policy_verdict verdict = policy_decide(claimant->world->config, claimant->who, &request, NULL);

    if (verdict != POLICY_ALLOWED) {
        allow_refuse(
            claimant, right == POLICY_METRICS ? "metrics" : request_path(claimant->request),
            policy_verdict_text(verdict));
    }
    return verdict == POLICY_ALLOWED;
}
