/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The managed identities that Azure's SDKs know how to ask: that of App Service, whose caller is told an
 * endpoint and a header that goes with it, and that of a virtual machine (IMDS), whose caller is told
 * nothing. Sources: "How to use managed identities for App Service" and "How to use managed identities for
 * Azure resources on an Azure VM to acquire an access token", learn.microsoft.com; and the SDKs themselves.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/allow.h"
#include "agent/ask.h"
#include "agent/endpoints.h"
#include "agent/grants.h"
#include "agent/refused.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "oauth/access_token.h"

enum { SCOPE_SIZE = 1024, NUMBER_SIZE = 24, DATE_SIZE = 40, FORBIDDEN = 403, N_CLIENT_IDS = 2 };

/* One request in either form. */
struct azure_request {
    const char *resource;
    const char *client_ids[N_CLIENT_IDS]; /* each NULL: any */
    const char *refused_hash; /* SHA-256, in hex, of a token that a resource no longer takes; or NULL */
    char scope[SCOPE_SIZE];
};

/* Of 2019-08-01 and IMDS, and of 2017-09-01; but some ask that with the other (Go's first azidentity). */
static const char *const client_id_names[N_CLIENT_IDS] = { "client_id", "clientid" };

/* Identities that are told apart by what only Azure knows. */
static const char *const foreign_names[] = { "principal_id", "object_id", "mi_res_id", "msi_res_id" };

static enum keystay_status read_request(
    const struct request *request, struct azure_request *ret_wanted, struct keystay_error *err)
{
    const char *foreign = NULL;

    for (size_t i = 0; i < ARRAY_LEN(foreign_names); i++) {
        TRY(request_argument(request, foreign_names[i], &foreign, err));
        if (foreign != NULL) {
            return err_set(
                err, KEYSTAY_E_USAGE, "an identity is chosen by client_id here, not by %s", foreign_names[i]);
        }
    }
    TRY(request_argument(request, "resource", &ret_wanted->resource, err));
    for (size_t i = 0; i < N_CLIENT_IDS; i++) {
        TRY(request_argument(request, client_id_names[i], &ret_wanted->client_ids[i], err));
    }
    TRY(request_argument(request, "token_sha256_to_refresh", &ret_wanted->refused_hash, err));
    return ret_wanted->resource != NULL ? KEYSTAY_OK
                                        : err_set(err, KEYSTAY_E_USAGE, "say which resource: ?resource=URI");
}

/* What stands for "R/.default" in the profile, or for R, is the profile's own target. */
static bool is_own_target(const struct keystay_profile *profile, const char *resource)
{
    const char *scope = profile_text(profile, SETTING_SCOPE);
    const char *own = scope != NULL ? scope : profile_text(profile, SETTING_RESOURCE);

    return own != NULL && policy_is_same_scope(slice_of_str(own), slice_of_str(resource));
}

/*
 * The resource as the profile's server names it: where that is asked for scopes (Entra's v2.0), the
 * resource's
 * ".default", behind the resource's own last slash where it has one.
 */
static enum keystay_status set_target(
    const struct keystay_profile *profile, struct azure_request *wanted, struct wish *wish,
    struct keystay_error *err)
{
    const bool has_scopes = str_equal(profile_text(profile, SETTING_PROVIDER), "entra") &&
                            profile_text(profile, SETTING_RESOURCE) == NULL;

    if (is_own_target(profile, wanted->resource)) {
        return KEYSTAY_OK;
    }
    if (!has_scopes) {
        wish->resource = wanted->resource;
        return KEYSTAY_OK;
    }
    int len = snprintf(wanted->scope, sizeof(wanted->scope), "%s/.default", wanted->resource);
    if (len < 0 || (size_t)len >= sizeof(wanted->scope)) {
        return err_set(err, KEYSTAY_E_USAGE, "the resource has more than %d bytes", SCOPE_SIZE - 10);
    }
    wish->scope = wanted->scope;
    return KEYSTAY_OK;
}

static const char *client_id_of(const struct holder *holder)
{
    const char *client_id = profile_text(holder_profile(holder), SETTING_CLIENT_ID);

    return client_id == NULL ? "" : client_id;
}

static bool has_its_client_id(const struct azure_request *wanted, const struct holder *holder)
{
    for (size_t i = 0; i < N_CLIENT_IDS; i++) {
        if (wanted->client_ids[i] != NULL && !str_iequal(wanted->client_ids[i], client_id_of(holder))) {
            return false;
        }
    }
    return true;
}

/* False: it was answered. */
static bool see_to_refused(
    const struct claimant *claimant, struct holder *holder, const char *hex, struct wish *wish)
{
    CLEANUP(token_freep) struct keystay_token *token = hex == NULL ? NULL : holder_look(holder, wish);
    const enum refused_verdict verdict = refused_judge(token, hex, clock_moment());
    struct keystay_error error;

    wish->is_renewal = verdict == REFUSED_IS_OLD;
    if (verdict != REFUSED_IS_YOUNG) {
        return true;
    }
    (void)atomic_fetch_add(&claimant->agent->counts.failed, 1);
    (void)err_set(
        &error, KEYSTAY_E_THROTTLED,
        "the token that was refused is not %d seconds old: it is not renewed yet", REFUSED_YOUNG_S);
    reply_error(claimant->request, claimant->dialect, &error);
    return false;
}

/* Who is asking, for what profile, is known: answers. */
static void serve(
    const struct claimant *claimant, const char *profile, const struct grant *grant,
    struct azure_request *wanted, const struct form *form)
{
    const struct holder *known = world_find(claimant->world, profile);
    struct holder *holder = NULL;
    struct wish wish = { 0 };
    struct keystay_error error = { 0 };

    if (known != NULL && set_target(holder_profile(known), wanted, &wish, &error) != KEYSTAY_OK) {
        reply_error(claimant->request, claimant->dialect, &error);
        return;
    }
    if (!allow_token(claimant, POLICY_TOKEN, profile, &wish, grant, &holder)) {
        return;
    }
    if (!has_its_client_id(wanted, holder)) {
        allow_note_refusal(claimant, "a token", "the client id is another one than the profile's");
        (void)err_set(
            &error, KEYSTAY_E_USAGE, "the identity here has the client id %s", client_id_of(holder));
        reply_error(claimant->request, claimant->dialect, &error);
        return;
    }
    if (see_to_refused(claimant, holder, wanted->refused_hash, &wish)) {
        ask(claimant->agent, claimant->request, holder, &wish, form);
    }
}

static enum keystay_status write_begin(
    struct json_write *out, const struct request *request, const struct holder *holder,
    const struct keystay_token *token)
{
    const char *resource = NULL;

    TRY(request_argument(request, "resource", &resource, NULL));
    TRY(json_write_str(out, "access_token", keystay_token_value(token), NULL));
    TRY(json_write_str(out, "resource", resource, NULL));
    TRY(json_write_str(out, "token_type", "Bearer", NULL));
    return json_write_str(out, "client_id", client_id_of(holder), NULL);
}

static enum keystay_status write_number(struct json_write *out, const char *name, int64_t number)
{
    char text[NUMBER_SIZE];

    (void)snprintf(text, sizeof(text), "%lld", (long long)number);
    return json_write_str(out, name, text, NULL);
}

/* expires_on only: .NET's SDK takes the last of expires_on and expires_in for the same thing. */
static enum keystay_status write_app_service(
    const struct request *request, const struct holder *holder, const struct keystay_token *token,
    struct buf *to)
{
    struct json_write out = JSON_WRITE(to);

    TRY(write_begin(&out, request, holder, token));
    TRY(write_number(&out, "expires_on", keystay_token_expires_at_s(token)));
    return json_write_end(&out, NULL);
}

/* 2017-09-01: "11/05/2021 15:18:31 +00:00". */
static enum keystay_status write_2017(
    const struct request *request, const struct holder *holder, const struct keystay_token *token,
    struct buf *to)
{
    struct json_write out = JSON_WRITE(to);
    const time_t end = (time_t)keystay_token_expires_at_s(token);
    char text[DATE_SIZE];
    struct tm parts;

    (void)gmtime_r(&end, &parts);
    (void)strftime(text, sizeof(text), "%m/%d/%Y %H:%M:%S +00:00", &parts);
    TRY(write_begin(&out, request, holder, token));
    TRY(json_write_str(&out, "expires_on", text, NULL));
    return json_write_end(&out, NULL);
}

static enum keystay_status write_imds(
    const struct request *request, const struct holder *holder, const struct keystay_token *token,
    struct buf *to)
{
    struct json_write out = JSON_WRITE(to);
    const int64_t end_s = keystay_token_expires_at_s(token);

    TRY(write_begin(&out, request, holder, token));
    TRY(write_number(&out, "expires_in", end_s - clock_now_s()));
    TRY(write_number(&out, "expires_on", end_s));
    TRY(write_number(&out, "not_before", token->obtained_at_s));
    return json_write_end(&out, NULL);
}

typedef enum keystay_status (*writer)(
    const struct request *request, const struct holder *holder, const struct keystay_token *token,
    struct buf *to);

static void give(
    struct request *request, const struct holder *holder, const struct keystay_token *token, writer write)
{
    CLEANUP(buf_clear) struct buf body = BUF(TOKEN_BODY_MAX);

    (void)write(request, holder, token, &body);
    reply_json(request, 200, &body);
}

static void give_app_service(
    struct request *request, const struct holder *holder, const struct keystay_token *token)
{
    give(request, holder, token, write_app_service);
}

static void give_2017(struct request *request, const struct holder *holder, const struct keystay_token *token)
{
    give(request, holder, token, write_2017);
}

static void give_imds(struct request *request, const struct holder *holder, const struct keystay_token *token)
{
    give(request, holder, token, write_imds);
}

/* Of the two versions that App Service has, by the header that says who asks. */
static enum keystay_status read_header(
    const struct request *request, const char **ret_header, bool *ret_is_2017, struct keystay_error *err)
{
    TRY(request_header(request, "X-IDENTITY-HEADER", ret_header, err));
    *ret_is_2017 = *ret_header == NULL;
    if (*ret_is_2017) {
        TRY(request_header(request, "secret", ret_header, err));
    }
    return *ret_header != NULL ? KEYSTAY_OK : err_set(err, KEYSTAY_E_USAGE, "there is no X-IDENTITY-HEADER");
}

static const struct grant *find_grant(const struct world *world, const char *name)
{
    for (size_t i = 0; i < world->config->n_grants; i++) {
        if (str_equal(world->config->grants[i].name, name)) {
            return &world->config->grants[i];
        }
    }
    return NULL;
}

/* The header belongs to a process or to a grant, and only who that is may use it. */
static void serve_bearer(
    struct claimant *claimant, const struct bearer *bearer, struct azure_request *wanted,
    const struct form *form)
{
    const bool is_of_grant = bearer->grant[0] != '\0';
    const struct grant *grant = is_of_grant ? find_grant(claimant->world, bearer->grant) : NULL;

    if (is_of_grant ? grant == NULL : bearer->who.uid != claimant->who->uid) {
        allow_refuse(
            claimant, "a token", "the identity header is another user's, or of a grant that is gone");
        return;
    }
    if (!is_of_grant) {
        claimant->who = &bearer->who; /* of it, groups and unit are known too */
    }
    serve(claimant, bearer->profile, grant, wanted, form);
}

void endpoint_app_service(struct agent *agent, struct request *request)
{
    static const struct form forms[] = { { DIALECT_APP_SERVICE, give_app_service },
                                         { DIALECT_APP_SERVICE, give_2017 } };
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    struct claimant claimant = { agent, request, DIALECT_APP_SERVICE, world, request_peer(request) };
    struct azure_request wanted = { 0 };
    const char *header = NULL;
    bool is_2017 = false;
    struct bearer bearer;
    struct keystay_error error = { 0 };

    if (read_header(request, &header, &is_2017, &error) != KEYSTAY_OK ||
        read_request(request, &wanted, &error) != KEYSTAY_OK) {
        reply_error(request, DIALECT_APP_SERVICE, &error);
        return;
    }
    if (!grants_find(agent->grants, header, &bearer)) {
        allow_refuse(
            &claimant, "a token", "the identity header is not one that was given out, or it has ended");
        return;
    }
    serve_bearer(&claimant, &bearer, &wanted, &forms[is_2017]);
}

static enum keystay_status check_metadata_header(const struct request *request, struct keystay_error *err)
{
    const char *value = NULL;

    TRY(request_header(request, "Metadata", &value, err));
    if (value == NULL || !str_iequal(value, "true")) {
        (void)err_set(err, KEYSTAY_E_USAGE, "Required metadata header not specified");
        if (err != NULL) {
            (void)snprintf(err->oauth_error, sizeof(err->oauth_error), "bad_request_102");
        }
        return KEYSTAY_E_USAGE;
    }
    return KEYSTAY_OK;
}

void endpoint_imds(struct agent *agent, struct request *request)
{
    static const struct form form = { DIALECT_OAUTH, give_imds };
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    const struct claimant claimant = { agent, request, DIALECT_OAUTH, world, request_peer(request) };
    struct azure_request wanted = { 0 };
    const char *profile = NULL;
    struct keystay_error error = { 0 };

    if (!world->config->imds) {
        allow_note_refusal(&claimant, "a token by IMDS", "there is no imds = yes");
        reply_refusal(
            request, DIALECT_OAUTH, FORBIDDEN, KEYSTAY_E_CONFIG,
            "this is not served: the agent's configuration has no imds = yes");
        return;
    }
    if (check_metadata_header(request, &error) != KEYSTAY_OK ||
        read_request(request, &wanted, &error) != KEYSTAY_OK) {
        reply_error(request, DIALECT_OAUTH, &error);
        return;
    }
    if (allow_single_profile(&claimant, &profile)) {
        serve(&claimant, profile, NULL, &wanted, &form);
    }
}
