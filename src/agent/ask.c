/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ask.h"

#include "agent/handouts.h"
#include "base/clock.h"
#include "base/error.h"
#include "oauth/access_token.h"

static void answer(
    struct agent *agent, struct request *request, const struct form *form, const struct outcome *outcome)
{
    const struct wish *wish = outcome->wish;

    if (outcome->status != KEYSTAY_OK) {
        (void)atomic_fetch_add(&agent->counts.failed, 1);
        reply_error(request, form->dialect, &outcome->error);
        return;
    }
    const struct handout handout = { .to = request_peer(request),
                                     .profile = holder_name(outcome->holder),
                                     .scope = wish->scope != NULL ? wish->scope : wish->resource,
                                     .is_assertion = wish->is_assertion };
    handouts_count(agent->handouts, &handout);
    if (outcome->is_new) {
        holder_note_use(outcome->holder, wish);
    }
    (void)atomic_fetch_add(outcome->is_new ? &agent->counts.served_new : &agent->counts.served_held, 1);
    form->give(request, outcome->holder, outcome->token);
}

void ask_answer(void *context, struct request *request, const struct outcome *outcome)
{
    answer(context, request, request_note(request), outcome);
}

void ask(
    struct agent *agent, struct request *request, struct holder *holder, const struct wish *wish,
    const struct form *form)
{
    CLEANUP(token_freep) struct keystay_token *token = holder_look(holder, wish);
    struct outcome outcome = { .token = token, .holder = holder, .wish = wish };

    atomic_store(&agent->last_used_ms, clock_boot_ms());
    if (token != NULL) {
        answer(agent, request, form, &outcome);
        return;
    }
    request_set_note(request, form);
    request_wait(request);
    const int64_t deadline_ms = clock_monotonic_ms() + agent->request_ms;
    outcome.status = jobs_add(agent->jobs, holder, wish, request, deadline_ms, &outcome.error);
    if (outcome.status != KEYSTAY_OK) {
        answer(agent, request, form, &outcome);
    }
}
