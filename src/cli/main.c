/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands, and what must be true of the process before any of them runs. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/process.h"
#include "cli/report.h"
#include "cli/settings.h"

const struct command *const cli_commands[] = {
    &command_token,           &command_assertion,      &command_key_list,        &command_key_show,
    &command_key_generate,    &command_key_import,     &command_key_delete,      &command_cert_create,
    &command_cert_request,    &command_cert_import,    &command_cert_export,     &command_cert_show,
    &command_cert_status,     &command_doctor,         &command_pin_forget,      &command_cache_clear,
    &command_profile_list,    &command_profile_show,   &command_jwt_decode,      &command_jwt_verify,
    &command_agent_run,       &command_agent_status,   &command_agent_reload,    &command_agent_forget,
    &command_agent_lock,      &command_agent_unlock,   &command_agent_stop,      &command_exec,
    &command_completion_bash, &command_completion_zsh, &command_completion_fish, &command_help,
    &command_version,
};
const size_t cli_n_commands = ARRAY_LEN(cli_commands);

const struct command *cli_find_command(const char *name)
{
    for (size_t i = 0; i < cli_n_commands; i++) {
        if (str_equal(cli_commands[i]->name, name)) {
            return cli_commands[i];
        }
    }
    return NULL;
}

bool cli_given(const struct cli *cli, enum cli_option_id id)
{
    return cli->values[id] != NULL;
}

static enum keystay_status usage(struct cli *cli, struct keystay_error *err)
{
    (void)cli;
    return err_set_hint(err, KEYSTAY_E_USAGE, "keystay help", "which command?");
}

/* --help and --version win over everything else; then the command. */
static enum keystay_status run(struct cli *cli, struct keystay_error *err)
{
    if (cli_given(cli, CLI_VERSION)) {
        return command_version.run(cli, err);
    }
    if (cli_given(cli, CLI_HELP)) {
        cli->arguments[0] = cli->command == NULL ? cli->arguments[0] : cli->command->name;
        cli->arguments[1] = NULL;
        return command_help.run(cli, err);
    }
    if (cli->command == NULL) {
        return usage(cli, err);
    }
    if (cli->command->has_settings || cli->command->holds_secrets) {
        TRY(process_prepare(cli->command->takes_words, err));
    }
    if (cli->command->has_settings && !cli->command->asks_an_agent) {
        TRY(settings_read(cli, err));
    }
    return cli->command->run(cli, err);
}

/* What stdio still holds must reach its reader, or a command that went well has failed after all. */
static enum keystay_status flush_stdout(enum keystay_status status, struct keystay_error *err)
{
    if (fflush(stdout) != 0 && status == KEYSTAY_OK) {
        return err_set(err, KEYSTAY_E_OUTPUT, "cannot write to stdout");
    }
    return status;
}

int main(int argc, char **argv)
{
    struct keystay_error error = { 0 };
    struct cli cli = { .log = { .line = report_log_line, .context = &cli } };

    if (!file_reserve_standard()) {
        _exit(keystay_status_exit(KEYSTAY_E_INTERNAL));
    }
    enum keystay_status status = keystay_profile_new(&cli.profile, &error);

    if (status == KEYSTAY_OK) {
        status = options_parse(argc, argv, &cli, &error);
    }
    if (status == KEYSTAY_OK) {
        status = run(&cli, &error);
    }
    status = flush_stdout(status, &error);
    if (status != KEYSTAY_OK) {
        report_error(&cli, &error);
    }
#ifndef HAS_LEAK_CHECK
    /* Exit handlers of a module that stays loaded can crash (SoftHSM beside OpenSSL 3): everything is put
     * away by now. */
    _exit(keystay_status_exit(status));
#else
    keystay_profile_free(cli.profile);
    config_clear(&cli.config);
    return keystay_status_exit(status);
#endif
}
