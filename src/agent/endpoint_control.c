/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent's own user does with it: keystay agent lock and its like, and keystay exec. */
#include <stdio.h>
#include <string.h>

#include "agent/allow.h"
#include "agent/endpoints.h"
#include "agent/errand.h"
#include "agent/grants.h"
#include "agent/journal.h"
#include "agent/listen.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json_write.h"
#include "base/str.h"
#include "keystay/pkcs11.h"

enum { BODY_MAX = 1024, URL_SIZE = 64 };

/* The profile that is meant; NULL in *ret_holder: all. */
static enum keystay_status read_profile(
    const struct world *world, const struct request *request, struct holder **ret_holder,
    struct keystay_error *err)
{
    const char *name = NULL;

    TRY(request_argument(request, "profile", &name, err));
    *ret_holder = name == NULL ? NULL : world_find(world, name);
    if (name == NULL || *ret_holder != NULL) {
        return KEYSTAY_OK;
    }
    const char *near = world_suggest(world, name);
    (void)err_set_hint(
        err, KEYSTAY_E_CONFIG, "keystay agent status lists them", "the agent has no profile of that name");
    return near == NULL ? KEYSTAY_E_CONFIG : err_hint(err, KEYSTAY_E_CONFIG, "did you mean %s?", near);
}

/* Does it with one profile, or with each. */
static void with_each(const struct errand *errand, void (*work)(struct holder *holder))
{
    for (size_t i = 0; i < errand->world->n; i++) {
        if (errand->one == NULL || errand->one == errand->world->holders[i]) {
            work(errand->world->holders[i]);
        }
    }
}

static enum keystay_status forget(struct errand *errand, struct keystay_error *err)
{
    (void)err;
    with_each(errand, holder_forget);
    return KEYSTAY_OK;
}

static enum keystay_status lock(struct errand *errand, struct keystay_error *err)
{
    (void)err;
    with_each(errand, holder_lock);
    return KEYSTAY_OK;
}

static enum keystay_status reload(struct errand *errand, struct keystay_error *err)
{
    world_freep(&errand->world); /* who has it has the old one, which should be free to go */
    return agent_reload(errand->agent, err);
}

static enum keystay_status unlock(struct errand *errand, struct keystay_error *err)
{
    atomic_store(&errand->agent->last_used_ms, clock_boot_ms());
    return errand->one != NULL
               ? holder_unlock(errand->one, &errand->pin, errand->is_final_try, err)
               : err_set(err, KEYSTAY_E_USAGE, "say which profile: each has a PIN of its own");
}

/* Before a person is asked for it. */
static enum keystay_status look_at_pin(struct errand *errand, struct keystay_error *err)
{
    unsigned int tries = 0;

    if (errand->one == NULL) {
        return err_set(err, KEYSTAY_E_USAGE, "say which profile: each has a PIN of its own");
    }
    TRY(holder_look_at_pin(errand->one, &tries, err));
    (void)snprintf(
        errand->said, sizeof(errand->said), "{\"was_refused\":%s,\"count_low\":%s,\"final_try\":%s}",
        tries & KEYSTAY_PIN_WAS_REFUSED ? "true" : "false", tries & KEYSTAY_PIN_COUNT_LOW ? "true" : "false",
        tries & KEYSTAY_PIN_FINAL_TRY ? "true" : "false");
    return KEYSTAY_OK;
}

/* What the work needs of the request, which is gone when whoever asked has waited too long. */
static enum keystay_status read_errand(
    struct request *request, struct errand *errand, struct keystay_error *err)
{
    const char *final_try = NULL;

    TRY(read_profile(errand->world, request, &errand->one, err));
    TRY(request_argument(request, "pin_final_try", &final_try, err));
    errand->is_final_try = final_try != NULL && str_equal(final_try, "yes");
    /* The body is the PIN, and nothing else. */
    return errand->work == unlock ? secret_set(&errand->pin, request_body(request), err) : KEYSTAY_OK;
}

/* Whoever looks after the machine may wonder later why a profile is locked. */
static void note_steering(const struct agent *agent, struct request *request, const struct errand *errand)
{
    const struct peer *peer = request_peer(request);

    if (errand->work != look_at_pin) {
        journal_note(
            agent->log, "%s%s%s, by user %u (process %d)", request_path(request) + strlen("/v1/"),
            errand->one == NULL ? "" : " of profile ", errand->one == NULL ? "" : holder_name(errand->one),
            (unsigned int)peer->uid, (int)peer->pid);
    }
}

static void run_if_allowed(
    struct agent *agent, struct request *request,
    enum keystay_status (*work)(struct errand *errand, struct keystay_error *err))
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    const struct claimant claimant = { agent, request, DIALECT_NATIVE, world, request_peer(request) };
    struct errand errand = { .agent = agent, .request = request, .world = world, .work = work };
    struct keystay_error error = { 0 };

    if (!allow_steering(&claimant, POLICY_CONTROL)) {
        return;
    }
    if (read_errand(request, &errand, &error) != KEYSTAY_OK) {
        reply_error(request, DIALECT_NATIVE, &error);
        return;
    }
    note_steering(agent, request, &errand);
    world = NULL; /* the errand's now */
    errand_run(&errand);
}

void endpoint_forget(struct agent *agent, struct request *request)
{
    run_if_allowed(agent, request, forget);
}

void endpoint_lock(struct agent *agent, struct request *request)
{
    run_if_allowed(agent, request, lock);
}

void endpoint_reload(struct agent *agent, struct request *request)
{
    run_if_allowed(agent, request, reload);
}

void endpoint_unlock(struct agent *agent, struct request *request)
{
    run_if_allowed(agent, request, unlock);
}

void endpoint_pin(struct agent *agent, struct request *request)
{
    run_if_allowed(agent, request, look_at_pin);
}

static enum keystay_status write_grant(
    const char *url, const char *header, const struct holder *holder, struct buf *to)
{
    struct json_write out = JSON_WRITE(to);
    const char *client_id = profile_text(holder_profile(holder), SETTING_CLIENT_ID);

    TRY(json_write_str(&out, "identity_endpoint", url, NULL));
    TRY(json_write_str(&out, "identity_header", header, NULL));
    TRY(json_write_str(&out, "client_id", client_id == NULL ? "" : client_id, NULL));
    return json_write_end(&out, NULL);
}

/* keystay exec: what the process that asks, and what it becomes, tells an SDK. */
void endpoint_grant(struct agent *agent, struct request *request)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    CLEANUP(buf_clear) struct buf body = BUF(BODY_MAX);
    const struct claimant claimant = { agent, request, DIALECT_NATIVE, world, request_peer(request) };
    const struct wish own = { 0 };
    struct holder *holder = NULL;
    const char *profile = NULL;
    char header[GRANT_HEADER_SIZE];
    char url[URL_SIZE];
    struct keystay_error error = { 0 };

    if (request_argument(request, "profile", &profile, &error) != KEYSTAY_OK || profile == NULL) {
        reply_refusal(request, DIALECT_NATIVE, 400, KEYSTAY_E_USAGE, "say which profile: ?profile=NAME");
        return;
    }
    if (!allow_token(&claimant, POLICY_TOKEN, profile, &own, NULL, &holder)) {
        return;
    }
    if (listen_sdk_url(agent, url, sizeof(url), &error) != KEYSTAY_OK ||
        grants_give(agent->grants, claimant.who, profile, header, &error) != KEYSTAY_OK ||
        write_grant(url, header, holder, &body) != KEYSTAY_OK) {
        reply_error(request, DIALECT_NATIVE, &error);
        return;
    }
    reply_json(request, 200, &body);
}
