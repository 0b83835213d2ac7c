/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keystay exec: a program that believes to run where Azure gives it an identity. What it is told is where to
 * ask, and a header that goes with that for as long as its process lives; a token it is never given here.
 */
#define _GNU_SOURCE /* execvpe */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/agent_program.h"
#include "cli/agent_unlock.h"
#include "cli/environment.h"
#include "cli/process.h"
#include "cli/report.h"
#include "cli/settings.h"

enum { FORBIDDEN = 403, NO_SUCH_PROFILE = 404, VARIABLE_MAX = 1024, NOT_FOUND = 127, NOT_RUN = 126 };

/* What is told, and by what member of the agent's answer. */
static const struct {
    const char *variable;
    const char *member; /* NULL: value */
    const char *value;
} told[] = {
    { "IDENTITY_ENDPOINT", "identity_endpoint", NULL },
    { "IDENTITY_HEADER", "identity_header", NULL },
    { "AZURE_CLIENT_ID", "client_id", NULL },
    /* The az command line, version 2017-09-01 of the same. */
    { "MSI_ENDPOINT", "identity_endpoint", NULL },
    { "MSI_SECRET", "identity_header", NULL },
    { "APPSETTING_WEBSITE_SITE_NAME", NULL, "keystay" },
};

/* It would make another service of it. */
static const char other_service[] = "IDENTITY_SERVER_THUMBPRINT";

enum { NAMES_MAX = ARRAY_LEN(told) + 3 };

/* What the program gets. */
struct surroundings {
    struct json *grant;       /* owned */
    const char *pin_variable; /* borrowed; NULL: none */
    struct buf entries[ARRAY_LEN(told)];
    char **environment; /* owned */
};

static void surroundings_clear(struct surroundings *surroundings)
{
    for (size_t i = 0; i < ARRAY_LEN(surroundings->entries); i++) {
        buf_clear(&surroundings->entries[i]);
    }
    free(surroundings->environment);
    json_free(surroundings->grant);
}

static enum keystay_status ask_for_grant(
    struct agent_client *client, const char *profile, struct json **ret_grant, struct keystay_error *err)
{
    const struct agent_call call = { .path = "/v1/grant",
                                     .arguments = { { "profile", profile } },
                                     .is_post = true };

    return agent_ask_json(client, &call, ret_grant, err);
}

/* Of an agent that runs; NULL in *ret_grant: there is none, or it has nothing for this user. */
static enum keystay_status find_grant(
    const struct cli *cli, enum agent_use use, struct agent_client *client, struct json **ret_grant,
    struct keystay_error *err)
{
    struct keystay_error error = { 0 };
    enum keystay_status status = KEYSTAY_OK;
    bool is_nothing = true;

    if (use == AGENT_USE_NEVER || (use == AGENT_USE_AUTO && !agent_is_named(cli))) {
        return KEYSTAY_OK;
    }
    status = agent_client_find(cli, client, &error);
    if (status == KEYSTAY_OK) {
        status = ask_for_grant(client, cli->arguments[0], ret_grant, &error);
        is_nothing = client->http_status == FORBIDDEN || client->http_status == NO_SUCH_PROFILE;
    }
    if (status != KEYSTAY_OK && is_nothing && use == AGENT_USE_AUTO) {
        log_step(&cli->log, "an agent is started for this command: %s", error.message);
        return KEYSTAY_OK;
    }
    *err = error;
    return status;
}

/* An agent of this command alone, which has its PIN before the program starts. */
static enum keystay_status start_agent(
    const struct cli *cli, struct agent_client *client, struct json **ret_grant, struct keystay_error *err)
{
    TRY(config_check_profile(&cli->config, cli->arguments[0], err));
    TRY(agent_program_start(cli, client, err));
    TRY(ask_for_grant(client, cli->arguments[0], ret_grant, err));
    return agent_unlock_by_person(client, cli->arguments[0], err);
}

/* Where tokens are there already it goes well without; where not, the program will say so. */
static enum keystay_status unlock_running(
    const struct cli *cli, struct agent_client *client, struct keystay_error *err)
{
    struct agent_profile profile = { 0 };

    if (agent_look(client, cli->arguments[0], &profile, NULL) != KEYSTAY_OK || !profile.is_locked ||
        !profile.asks_a_person) {
        return KEYSTAY_OK;
    }
    if (agent_person_is_there()) {
        return agent_unlock_by_person(client, cli->arguments[0], err);
    }
    log_warning(
        &cli->log, "the agent has no PIN for %s: keystay agent unlock %s", cli->arguments[0],
        cli->arguments[0]);
    return KEYSTAY_OK;
}

static enum keystay_status get_grant(
    const struct cli *cli, struct surroundings *surroundings, struct keystay_error *err)
{
    CLEANUP(agent_client_clear) struct agent_client client = { 0 };
    enum agent_use use = AGENT_USE_AUTO;

    TRY(agent_use_read(cli, &use, err));
    TRY(find_grant(cli, use, &client, &surroundings->grant, err));
    return surroundings->grant != NULL ? unlock_running(cli, &client, err)
                                       : start_agent(cli, &client, &surroundings->grant, err);
}

/* The variable that holds the PIN, where one does. */
static enum keystay_status find_pin_variable(
    struct cli *cli, struct surroundings *surroundings, struct keystay_error *err)
{
    const char *name = cli->arguments[0];
    const bool is_here = config_check_profile(&cli->config, name, NULL) == KEYSTAY_OK;
    struct pin_source source;

    TRY(config_apply(&cli->config, is_here ? name : NULL, cli->profile, err));
    TRY(keystay_profile_read_environment(cli->profile, err));
    const char *text = profile_text(cli->profile, SETTING_PIN_SOURCE);
    if (text != NULL && pin_source_parse(text, &source, NULL) == KEYSTAY_OK &&
        source.kind == PIN_SOURCE_ENV) {
        surroundings->pin_variable = source.argument;
    }
    return KEYSTAY_OK;
}

static enum keystay_status put_entry(
    const struct surroundings *surroundings, size_t i, struct buf *ret_entry, struct keystay_error *err)
{
    const char *value = told[i].value;

    if (told[i].member != NULL) {
        TRY(json_get_str(surroundings->grant, told[i].member, &value, err));
    }
    TRY(buf_puts(ret_entry, told[i].variable, err));
    TRY(buf_putc(ret_entry, '=', err));
    return buf_puts(ret_entry, value, err);
}

static enum keystay_status make_environment(struct surroundings *surroundings, struct keystay_error *err)
{
    const char *names[NAMES_MAX] = { other_service };
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(told); i++) {
        names[1 + i] = told[i].variable;
    }
    names[1 + ARRAY_LEN(told)] = surroundings->pin_variable;
    surroundings->environment = environment_without(names, ARRAY_LEN(told));
    if (surroundings->environment == NULL) {
        return err_no_memory(err);
    }
    while (surroundings->environment[n] != NULL) {
        n++;
    }
    for (size_t i = 0; i < ARRAY_LEN(told); i++) {
        surroundings->entries[i] = BUF(VARIABLE_MAX);
        TRY(put_entry(surroundings, i, &surroundings->entries[i], err));
        surroundings->environment[n++] = drop_const(buf_str(&surroundings->entries[i]));
    }
    return KEYSTAY_OK;
}

/* The statuses are those of shells: POSIX, "Exit Status for Commands". */
static void run_words(struct cli *cli, const struct surroundings *surroundings)
{
    char quoted[128];
    struct keystay_error error;

    process_restore();
    (void)execvpe(cli->words[0], cli->words, surroundings->environment);
    const int number = errno;
    str_quote_foreign(slice_of_str(cli->words[0]), quoted, sizeof(quoted));
    (void)err_set_hint(
        &error, KEYSTAY_E_USAGE,
        number == ENOENT
            ? "is it installed, and in a folder of PATH? A script: is what its first line names there?"
            : "may this user run it? chmod +x, and the file system must allow it",
        "%s cannot be run: %s", quoted, file_errno_text(number));
    report_error(cli, &error);
    _exit(number == ENOENT ? NOT_FOUND : NOT_RUN);
}

static enum keystay_status run_exec(struct cli *cli, struct keystay_error *err)
{
    CLEANUP(surroundings_clear) struct surroundings surroundings = { 0 };

    if (cli->arguments[0] == NULL) {
        return err_set_hint(
            err, KEYSTAY_E_USAGE, "keystay exec PROFILE -- COMMAND [ARGUMENT...]", "which profile?");
    }
    TRY(settings_config(cli, err));
    TRY(find_pin_variable(cli, &surroundings, err));
    TRY(get_grant(cli, &surroundings, err));
    TRY(make_environment(&surroundings, err));
    run_words(cli, &surroundings);
    return KEYSTAY_E_INTERNAL;
}

const struct command command_exec = {
    .name = "exec",
    .arguments = "PROFILE -- COMMAND [ARGUMENT...]",
    .arguments_max = 1,
    .summary = "run a program that gets its tokens as if from Azure",
    .help = "Runs a command with the variables set by which Azure's SDKs find a managed identity: they get\n"
            "tokens of the profile from the running agent, or from one that lives as long as the command.\n"
            "A PIN is asked for before the command starts. Its exit status is the command's.\n"
            "\n"
            "  keystay exec backup -- python3 upload.py\n"
            "  keystay exec backup -- az login --identity\n",
    .holds_secrets = true,
    .takes_words = true,
    .options = OPTION_BIT(CLI_AGENT),
    .run = run_exec,
};
