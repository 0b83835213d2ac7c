/* SPDX-License-Identifier: Apache-2.0 */
/* keystay agent: starts one, looks at it, and steers it. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/agent_program.h"
#include "cli/agent_status.h"
#include "cli/agent_unlock.h"
#include "cli/settings.h"

enum { SHOWN_MAX = 2 * AGENT_ANSWER_MAX };

static enum keystay_status run_run(struct cli *cli, struct keystay_error *err)
{
    char *words[AGENT_PROGRAM_WORDS];

    agent_program_words(cli, NULL, words);
    (void)execv(words[0], words);
    return err_set_hint(
        err, KEYSTAY_E_CONFIG, "is keystay installed whole? KEYSTAY_AGENT_PROGRAM names its keystay-agent",
        "'%s' cannot be started: %s", words[0], file_errno_text(errno));
}

const struct command command_agent_run = {
    .name = "agent run",
    .arguments = "",
    .summary = "keep keys logged in, and give tokens to programs",
    .help = "Becomes keystay-agent, which serves tokens of the configured profiles until it is ended:\n"
            "to this user's programs, and to whom the configuration says. keystay-agent(8) explains it.\n"
            "\n"
            "  keystay agent run\n",
    .options = OPTION_BIT(CLI_CONFIG),
    .run = run_run,
};

static enum keystay_status find(struct cli *cli, struct agent_client *client, struct keystay_error *err)
{
    TRY(settings_config(cli, err));
    return agent_client_find(cli, client, err);
}

static enum keystay_status run_status(struct cli *cli, struct keystay_error *err)
{
    const struct agent_call call = { .path = "/v1/status" };
    CLEANUP(agent_client_clear) struct agent_client client = { 0 };
    CLEANUP(buf_clear) struct buf answer = BUF(AGENT_ANSWER_MAX);
    CLEANUP(buf_clear) struct buf shown = BUF(SHOWN_MAX);
    const char *format = cli->values[CLI_LIST_FORMAT];
    enum keystay_status status = find(cli, &client, err);

    if (status == KEYSTAY_E_AGENT && client.pid == 0) {
        err->status = KEYSTAY_E_ANSWER_NO; /* it was asked whether there is one */
        return KEYSTAY_E_ANSWER_NO;
    }
    TRY(status);
    TRY(agent_ask(&client, &call, &answer, err));
    if (format != NULL && str_equal(format, "json")) {
        TRY(buf_putc(&answer, '\n', err));
        return file_write_all(STDOUT_FILENO, buf_slice(&answer), err);
    }
    TRY(agent_status_write(buf_slice(&answer), clock_now_s(), &shown, err));
    return file_write_all(STDOUT_FILENO, buf_slice(&shown), err);
}

const struct command command_agent_status = {
    .name = "agent status",
    .arguments = "",
    .summary = "show how the running agent is",
    .help = "Shows where the agent listens, how many requests it has served, and of each profile whether\n"
            "its key is in use, which tokens are held and for how long yet, when its certificate ends, and\n"
            "what failed last; then who was given what, and how often.\n"
            "The exit status is 1 when no agent runs.\n"
            "\n"
            "  keystay agent status\n"
            "  keystay agent status --format json\n",
    .holds_secrets = true,
    .options = OPTION_BIT(CLI_LIST_FORMAT),
    .run = run_status,
};

static enum keystay_status post(struct cli *cli, const char *path, struct keystay_error *err)
{
    const struct agent_call call = { .path = path,
                                     .arguments = { { "profile", cli->arguments[0] } },
                                     .is_post = true };
    CLEANUP(agent_client_clear) struct agent_client client = { 0 };
    CLEANUP(buf_clear) struct buf answer = BUF(AGENT_ANSWER_MAX);

    TRY(find(cli, &client, err));
    return agent_ask(&client, &call, &answer, err);
}

static enum keystay_status run_reload(struct cli *cli, struct keystay_error *err)
{
    return post(cli, "/v1/reload", err);
}

const struct command command_agent_reload = {
    .name = "agent reload",
    .arguments = "",
    .summary = "have the agent read its configuration again",
    .help = "Has the agent read its configuration and certificates again, without dropping a request.\n"
            "When something is wrong with them it says so here, and goes on as it was.\n"
            "\n"
            "  keystay agent reload\n",
    .holds_secrets = true,
    .options = OPTION_BIT(CLI_CONFIG),
    .run = run_reload,
};

static enum keystay_status run_forget(struct cli *cli, struct keystay_error *err)
{
    return post(cli, "/v1/forget", err);
}

const struct command command_agent_forget = {
    .name = "agent forget",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "have the agent forget its tokens",
    .help = "Has the agent forget the access tokens that it holds, of one profile or of all. The next\n"
            "request gets a new one.\n"
            "\n"
            "  keystay agent forget backup\n",
    .holds_secrets = true,
    .options = OPTION_BIT(CLI_CONFIG),
    .run = run_forget,
};

static enum keystay_status run_lock(struct cli *cli, struct keystay_error *err)
{
    return post(cli, "/v1/lock", err);
}

const struct command command_agent_lock = {
    .name = "agent lock",
    .arguments = "[PROFILE]",
    .arguments_max = 1,
    .summary = "have the agent forget a PIN",
    .help = "Has the agent log out and forget the PIN, of one profile or of all. Tokens that it holds are\n"
            "served on while they live (agent forget); a new one needs agent unlock.\n"
            "\n"
            "  keystay agent lock\n",
    .holds_secrets = true,
    .options = OPTION_BIT(CLI_CONFIG),
    .run = run_lock,
};

/* Where the PIN comes from; a person at this terminal, unless it was said otherwise. */
static enum keystay_status read_source(
    struct cli *cli, struct pin_source *ret_source, struct keystay_error *err)
{
    TRY(keystay_profile_read_environment(cli->profile, err));
    const char *text = profile_text(cli->profile, SETTING_PIN_SOURCE);
    TRY(pin_source_parse(text == NULL ? "tty" : text, ret_source, err));
    return ret_source->kind != PIN_SOURCE_NONE
               ? KEYSTAY_OK
               : err_set(err, KEYSTAY_E_USAGE, "--pin-source none: there is nothing to unlock with");
}

static enum keystay_status run_unlock(struct cli *cli, struct keystay_error *err)
{
    const char *name = cli->arguments[0];
    CLEANUP(agent_client_clear) struct agent_client client = { 0 };
    struct agent_profile profile = { 0 };
    struct pin_source source = { 0 };

    if (name == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_USAGE, "keystay agent unlock PROFILE", "which profile? Each has a PIN of its own");
    }
    TRY(read_source(cli, &source, err));
    TRY(find(cli, &client, err));
    TRY(agent_look(&client, name, &profile, err));
    if (profile.is_open) {
        return KEYSTAY_OK;
    }
    const bool is_given = profile.asks_a_person || profile_text(cli->profile, SETTING_PIN_SOURCE) != NULL;
    const bool is_final_try = profile_switch(cli->profile, SETTING_PIN_FINAL_TRY);
    return agent_unlock(&client, name, &profile, is_given ? &source : NULL, is_final_try, err);
}

const struct command command_agent_unlock = {
    .name = "agent unlock",
    .arguments = "PROFILE",
    .arguments_max = 1,
    .summary = "give the agent the PIN that it waits for",
    .help = "Asks for the PIN on the terminal, or takes it from where --pin-source says, and gives it to\n"
            "the agent, which logs in at once. A profile whose PIN does not come from a person gets it\n"
            "from where its configuration says. What the token says of the tries that are left is told\n"
            "first; the last one wants --pin-final-try.\n"
            "\n"
            "  keystay agent unlock backup\n",
    .has_settings = true,
    .asks_an_agent = true,
    .only_settings = SETTING_BIT(SETTING_PIN_SOURCE) | SETTING_BIT(SETTING_PIN_FINAL_TRY),
    .run = run_unlock,
};

static enum keystay_status run_stop(struct cli *cli, struct keystay_error *err)
{
    const struct agent_call call = { .path = "/v1/status" };
    CLEANUP(agent_client_clear) struct agent_client client = { 0 };
    CLEANUP(json_freep) struct json *status = NULL;
    int64_t pid = 0;

    TRY(find(cli, &client, err));
    TRY(agent_ask_json(&client, &call, &status, err));
    TRY(json_get_i64(status, "pid", &pid, err));
    /* What it calls itself may be another's number here; behind a service manager's socket it is not alone.
     */
    if (pid <= 1 || pid != client.pid) {
        return err_set_hint(
            err, KEYSTAY_E_AGENT,
            client.is_ours && geteuid() != 0
                ? "systemctl --user stop keystay-agent.socket keystay-agent.service"
                : "systemctl stop keystay-agent.socket keystay-agent.service",
            "the agent was started by a service manager, which would start it again");
    }
    return kill((pid_t)pid, SIGTERM) == 0 ? KEYSTAY_OK
                                          : err_set(
                                                err, KEYSTAY_E_AGENT, "process %d cannot be ended: %s",
                                                (int)pid, file_errno_text(errno));
}

const struct command command_agent_stop = {
    .name = "agent stop",
    .arguments = "",
    .summary = "end the running agent",
    .help = "Asks the agent to end: it answers who waits, and forgets tokens and PINs.\n"
            "\n"
            "  keystay agent stop\n",
    .holds_secrets = true,
    .options = OPTION_BIT(CLI_CONFIG),
    .run = run_stop,
};
