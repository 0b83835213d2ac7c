/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's own interface: a token for a profile, and the same in the header that a proxy passes on. */
#include <stdlib.h>

#include "agent/allow.h"
#include "agent/ask.h"
#include "agent/endpoints.h"
#include "base/error.h"
#include "base/str.h"
#include "oauth/access_token.h"

enum { MIN_VALID_MAX_S = 24 * 60 * 60, AUTHORIZATION_EXTRA = 16 };

static const char *const known[] = { "profile", "scope", "resource", "min_valid", "claims", NULL };

/* A name_pick: what was misspelt must not be passed over. */
static bool is_unknown(const char *name)
{
    for (size_t i = 0; known[i] != NULL; i++) {
        if (str_equal(known[i], name)) {
            return false;
        }
    }
    return true;
}

static enum keystay_status read_seconds(
    const struct request *request, unsigned int *ret_seconds, struct keystay_error *err)
{
    const char *text = NULL;
    uint64_t seconds = 0;

    TRY(request_argument(request, "min_valid", &text, err));
    if (text != NULL && str_parse_u64(text, 0, MIN_VALID_MAX_S, &seconds, NULL) != KEYSTAY_OK) {
        return err_set(err, KEYSTAY_E_USAGE, "min_valid is a number of seconds up to %d", MIN_VALID_MAX_S);
    }
    *ret_seconds = (unsigned int)seconds;
    return KEYSTAY_OK;
}

static enum keystay_status read_wish(
    const struct request *request, const char **ret_profile, struct wish *wish, struct keystay_error *err)
{
    if (request_find_argument(request, is_unknown) != NULL) {
        return err_set(
            err, KEYSTAY_E_USAGE,
            "there is an unknown argument: profile, scope, resource, min_valid and claims are known");
    }
    TRY(request_argument(request, "profile", ret_profile, err));
    TRY(request_argument(request, "scope", &wish->scope, err));
    TRY(request_argument(request, "resource", &wish->resource, err));
    TRY(request_argument(request, "claims", &wish->claims, err));
    TRY(read_seconds(request, &wish->min_valid_s, err));
    if (*ret_profile == NULL) {
        return err_set(err, KEYSTAY_E_USAGE, "say which profile: ?profile=NAME");
    }
    if (wish->scope != NULL && wish->resource != NULL) {
        return err_set(err, KEYSTAY_E_USAGE, "scope and resource are both given");
    }
    return KEYSTAY_OK;
}

static void serve(
    struct agent *agent, struct request *request, enum policy_right right, const struct form *form)
{
    CLEANUP(world_freep) struct world *world = world_get(&agent->world);
    const struct claimant claimant = { agent, request, DIALECT_NATIVE, world, request_peer(request) };
    struct wish wish = { .is_assertion = right == POLICY_ASSERTION };
    const char *profile = NULL;
    struct holder *holder = NULL;
    struct keystay_error error = { 0 };

    if (read_wish(request, &profile, &wish, &error) != KEYSTAY_OK) {
        reply_error(request, DIALECT_NATIVE, &error);
        return;
    }
    if (allow_token(&claimant, right, profile, &wish, NULL, &holder)) {
        ask(agent, request, holder, &wish, form);
    }
}

static enum keystay_status write_token(const struct keystay_token *token, struct buf *to)
{
    struct json_write out = JSON_WRITE(to);

    TRY(json_write_str(&out, "access_token", keystay_token_value(token), NULL));
    TRY(json_write_str(&out, "token_type", "Bearer", NULL));
    TRY(json_write_i64(&out, "expires_on", keystay_token_expires_at_s(token), NULL));
    return json_write_end(&out, NULL);
}

static void give_token(
    struct request *request, const struct holder *holder, const struct keystay_token *token)
{
    CLEANUP(buf_clear) struct buf body = BUF(TOKEN_BODY_MAX);

    (void)holder;
    (void)write_token(token, &body);
    reply_json(request, 200, &body);
}

void endpoint_token(struct agent *agent, struct request *request)
{
    static const struct form form = { DIALECT_NATIVE, give_token };

    serve(agent, request, POLICY_TOKEN, &form);
}

static enum keystay_status write_assertion(const struct keystay_token *token, struct buf *to)
{
    struct json_write out = JSON_WRITE(to);

    TRY(json_write_str(&out, "client_assertion", keystay_token_value(token), NULL));
    TRY(json_write_str(
        &out, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", NULL));
    TRY(json_write_i64(&out, "expires_on", keystay_token_expires_at_s(token), NULL));
    return json_write_end(&out, NULL);
}

static void give_assertion(
    struct request *request, const struct holder *holder, const struct keystay_token *token)
{
    CLEANUP(buf_clear) struct buf body = BUF(TOKEN_BODY_MAX);

    (void)holder;
    (void)write_assertion(token, &body);
    reply_json(request, 200, &body);
}

void endpoint_assertion(struct agent *agent, struct request *request)
{
    static const struct form form = { DIALECT_NATIVE, give_assertion };

    serve(agent, request, POLICY_ASSERTION, &form);
}

/* nginx's auth_request takes a header of the answer and puts it on the request to the back end. */
static void give_header(
    struct request *request, const struct holder *holder, const struct keystay_token *token)
{
    CLEANUP(buf_clear) struct buf value = BUF(TOKEN_LEN_MAX + AUTHORIZATION_EXTRA);
    struct answer answer = { .status = 200 };

    (void)holder;
    if (buf_puts(&value, "Bearer ", NULL) == KEYSTAY_OK &&
        buf_puts(&value, keystay_token_value(token), NULL) == KEYSTAY_OK) {
        answer.authorization = buf_str(&value);
    } else {
        answer.status = 500;
    }
    request_answer(request, &answer);
}

void endpoint_inject(struct agent *agent, struct request *request)
{
    static const struct form form = { DIALECT_NATIVE, give_header };

    serve(agent, request, POLICY_TOKEN, &form);
}
