/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/agent_token.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/agent_touch.h"
#include "cli/agent_unlock.h"
#include "cli/settings.h"
#include "oauth/access_token.h"
#include "oauth/claims.h"

enum { FORBIDDEN = 403, NOT_FOUND = 404 };

/* What an agent is told of a profile; everything else is its own configuration's. */
static const uint64_t settings_of_a_request =
    SETTING_BIT(SETTING_SCOPE) | SETTING_BIT(SETTING_RESOURCE) | SETTING_BIT(SETTING_MIN_VALID);

static bool has_flag(const struct cli *cli, enum setting_id id)
{
    return profile_source(cli->profile, id, 0).origin == PROFILE_FLAG;
}

static bool has_variable(enum setting_id id)
{
    char name[SETTING_ENV_SIZE];

    setting_env_name(id, name);
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): nobody changes the environment */
    return value != NULL && value[0] != '\0';
}

/* A name stands for the same here and there only while nothing here says otherwise. */
static bool is_plain(const struct cli *cli)
{
    bool is_plain = cli->arguments[0] != NULL;

    for (enum setting_id id = 0; id < SETTING_N && is_plain; id++) {
        is_plain = !has_flag(cli, id) && !has_variable(id);
    }
    return is_plain;
}

static enum keystay_status check_for_agent(const struct cli *cli, struct keystay_error *err)
{
    if (cli->arguments[0] == NULL) {
        return err_set(err, KEYSTAY_E_USAGE, "an agent is asked for a profile by its name: which?");
    }
    for (enum setting_id id = 0; id < SETTING_N; id++) {
        const bool is_told = (settings_of_a_request & SETTING_BIT(id)) != 0;
        char name[SETTING_ENV_SIZE];

        setting_env_name(id, name);
        if (has_variable(id) || (has_flag(cli, id) && !is_told)) {
            return err_set_hint(
                err, KEYSTAY_E_USAGE, "--agent never",
                "%s%s is given, but the agent goes by its own configuration", has_variable(id) ? "" : "--",
                has_variable(id) ? name : setting_rows[id].name);
        }
    }
    return KEYSTAY_OK;
}

static enum keystay_status read_token(
    const struct json *answer, bool is_assertion, struct keystay_token **ret_token, struct keystay_error *err)
{
    CLEANUP(token_freep) struct keystay_token *token = NULL;

    TRY(token_new(&token, err));
    TRY(json_get_secret(answer, is_assertion ? "client_assertion" : "access_token", &token->value, err));
    TRY(json_get_i64(answer, "expires_on", &token->expires_at_s, err));
    TRY(token_check_value(&token->value, err));
    token->obtained_at_s = clock_now_s();
    *ret_token = take_ptr(&token);
    return KEYSTAY_OK;
}

static enum keystay_status ask(
    struct agent_client *client, const struct agent_call *call, bool is_assertion,
    struct keystay_token **ret_token, struct keystay_error *err)
{
    CLEANUP(json_freep) struct json *answer = NULL;

    TRY(agent_ask_json(client, call, &answer, err));
    return read_token(answer, is_assertion, ret_token, err);
}

static enum keystay_status ask_for_touch(
    const struct cli *cli, struct agent_client *client, const struct agent_call *call, bool is_assertion,
    struct keystay_token **ret_token, struct keystay_error *err)
{
    agent_touch_begin(cli, client, call->arguments[0].value);
    const enum keystay_status status = ask(client, call, is_assertion, ret_token, err);
    agent_touch_end();
    return status;
}

/* Once more, when all that was missing was a PIN, and a person who sits there has given it. */
static enum keystay_status ask_with_person(
    const struct cli *cli, struct agent_client *client, const struct agent_call *call, bool is_assertion,
    struct keystay_token **ret_token, struct keystay_error *err)
{
    enum keystay_status status = ask_for_touch(cli, client, call, is_assertion, ret_token, err);
    const char *name = call->arguments[0].value;
    struct agent_profile profile = { 0 };

    if ((status != KEYSTAY_E_PIN_SOURCE && !err_is_about_pin(status)) || !agent_person_is_there() ||
        agent_look(client, name, &profile, NULL) != KEYSTAY_OK || !profile.is_locked ||
        !profile.asks_a_person) {
        return status;
    }
    TRY(agent_unlock_by_person(client, name, err));
    *err = (struct keystay_error){ 0 };
    return ask_for_touch(cli, client, call, is_assertion, ret_token, err);
}

/* Claims as they are asked for, or as a challenge asks for them; NULL: none. */
static enum keystay_status read_claims(
    const struct cli *cli, struct buf *of_challenge, const char **ret_claims, struct keystay_error *err)
{
    *ret_claims = cli->values[CLI_CLAIMS];
    if (!cli_given(cli, CLI_CLAIMS_CHALLENGE)) {
        return KEYSTAY_OK;
    }
    if (cli_given(cli, CLI_CLAIMS)) {
        return err_set(err, KEYSTAY_E_USAGE, "claims and a claims challenge are both given");
    }
    TRY(claims_of_challenge(slice_of_str(cli->values[CLI_CLAIMS_CHALLENGE]), of_challenge, err));
    *ret_claims = buf_str(of_challenge);
    return KEYSTAY_OK;
}

static const char *flag_text(const struct cli *cli, enum setting_id id)
{
    return has_flag(cli, id) ? profile_text(cli->profile, id) : NULL;
}

static enum keystay_status ask_for_profile(
    const struct cli *cli, struct agent_client *client, bool is_assertion, struct keystay_token **ret_token,
    struct keystay_error *err)
{
    CLEANUP(buf_clear) struct buf of_challenge = BUF(CLAIMS_MAX);
    struct agent_call call = { .path = is_assertion ? "/v1/assertion" : "/v1/token",
                               .arguments = { { "profile", cli->arguments[0] },
                                              { "scope", flag_text(cli, SETTING_SCOPE) },
                                              { "resource", flag_text(cli, SETTING_RESOURCE) },
                                              { "min_valid", flag_text(cli, SETTING_MIN_VALID) },
                                              { "claims", NULL } } };

    TRY(read_claims(cli, &of_challenge, &call.arguments[4].value, err));
    return ask_with_person(cli, client, &call, is_assertion, ret_token, err);
}

static enum keystay_status ask_always(
    struct cli *cli, bool is_assertion, struct keystay_token **ret_token, struct keystay_error *err)
{
    CLEANUP(agent_client_clear) struct agent_client client = { 0 };

    TRY(check_for_agent(cli, err));
    TRY(settings_config(cli, err));
    TRY(agent_client_find(cli, &client, err));
    return ask_for_profile(cli, &client, is_assertion, ret_token, err);
}

/* Root's agent goes by the system's configuration, which may know another profile by that name. Whoever names
 * one file for both has decided. */
static bool means_ones_own(const struct cli *cli, const struct agent_client *client)
{
    return !client->is_ours && cli->config.files[CONFIG_SYSTEM].path != NULL &&
           config_find(&cli->config.files[CONFIG_USER], cli->arguments[0]) != NULL;
}

/* Nothing that an agent lacks stands in the way of doing it here. */
static enum keystay_status ask_if_there(
    struct cli *cli, struct keystay_token **ret_token, struct keystay_error *err)
{
    CLEANUP(agent_client_clear) struct agent_client client = { 0 };
    struct keystay_error error = { 0 };

    TRY(settings_config(cli, err));
    if (!agent_is_named(cli)) {
        return KEYSTAY_OK;
    }
    if (agent_client_find(cli, &client, &error) != KEYSTAY_OK) {
        log_step(&cli->log, "without an agent: %s", error.message);
        return KEYSTAY_OK;
    }
    if (means_ones_own(cli, &client)) {
        log_step(&cli->log, "without an agent: root's does not know your own profile");
        return KEYSTAY_OK;
    }
    enum keystay_status status = ask_for_profile(cli, &client, false, ret_token, &error);
    if (status != KEYSTAY_OK && (client.http_status == NOT_FOUND ||
                                 (client.http_status == FORBIDDEN && status == KEYSTAY_E_SERVER_REFUSED))) {
        log_step(&cli->log, "the agent has nothing for this: %s", error.message);
        status = config_check_profile(&cli->config, cli->arguments[0], err);
        err_append(status == KEYSTAY_OK ? NULL : err, "; an agent was asked, too: %s", error.message);
        return status;
    }
    *err = error;
    return status;
}

enum keystay_status agent_token(
    struct cli *cli, bool is_assertion, struct keystay_token **ret_token, struct keystay_error *err)
{
    enum agent_use use = AGENT_USE_AUTO;

    *ret_token = NULL;
    TRY(agent_use_read(cli, &use, err));
    if (use == AGENT_USE_ALWAYS) {
        return ask_always(cli, is_assertion, ret_token, err);
    }
    return use == AGENT_USE_AUTO && !is_assertion && is_plain(cli) ? ask_if_there(cli, ret_token, err)
                                                                   : KEYSTAY_OK;
}
