/* SPDX-License-Identifier: Apache-2.0 */
/* Help is printed from the tables that the command line is parsed with. */
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/options.h"

enum { COLUMN = 29 };

static const char exit_text[] =
    "Exit status: 0 ok, 1 the answer is no, 2 usage, 3 configuration, 4 token or HSM failed\n"
    "or away, 5 server unreachable or busy, 6 server refused, 7 no agent, 8 a person must see to\n"
    "the PIN, 70 internal, 130 interrupted. keystay(1) has more.\n";

static void print_option(
    char letter, const char *name, const char *metavar, const char *help, const char *fallback)
{
    char left[80];

    (void)snprintf(
        left, sizeof(left), "  %c%c%s--%s%s%s", letter == 0 ? ' ' : '-', letter == 0 ? ' ' : letter,
        letter == 0 ? "  " : ", ", name, metavar == NULL ? "" : " ", metavar == NULL ? "" : metavar);
    (void)printf("%-*s %s", COLUMN, left, help);
    if (fallback != NULL && metavar != NULL) {
        (void)printf("; %s", fallback);
    }
    (void)printf("\n");
}

static void print_options(uint64_t options)
{
    for (int id = 0; id < CLI_OPTION_N; id++) {
        if (options & OPTION_BIT(id)) {
            const struct cli_option *option = &cli_options[id];
            print_option(option->letter, option->name, option->metavar, option->help, NULL);
        }
    }
}

static void print_settings(const struct command *command)
{
    if (!command->has_settings) {
        return;
    }
    (void)printf(
        "\nSettings (the value after ';' is the default; KEYSTAY_<NAME> in the environment works too,\n"
        "and the name with '_' for '-' in a configuration file, for all or for a PROFILE: keystay.conf(5)):\n");
    for (int id = 0; id < SETTING_N; id++) {
        if (cli_settings_of(command) & SETTING_BIT(id)) {
            print_option(
                0, setting_rows[id].name, setting_rows[id].metavar, setting_rows[id].help,
                setting_rows[id].fallback);
        }
    }
    if (command->only_settings != 0) {
        return;
    }
    (void)printf(
        "\nFor provider entra AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_AUTHORITY_HOST are read last.\n");
}

static void print_command(const struct command *command)
{
    (void)printf(
        "Usage: keystay %s%s%s%s\n\n%s", command->name,
        command->has_settings || command->options != 0 ? " [OPTION...]" : "",
        command->arguments[0] == '\0' ? "" : " ", command->arguments, command->help);
    if (command->has_settings || command->options != 0) {
        (void)printf("\nOptions:\n");
        print_options((command->options | cli_global_options) & ~OPTION_BIT(CLI_VERSION));
        print_settings(command);
        (void)printf("\n%s", exit_text);
    }
}

static void print_summary(const struct command *command)
{
    (void)printf("  %-24s %s\n", command->name, command->summary);
}

/* "agent": its commands. */
static void print_group(const char *group)
{
    (void)printf("Usage: keystay %s COMMAND [OPTION...]\n\nCommands:\n", group);
    for (size_t i = 0; i < cli_n_commands; i++) {
        if (cli_is_of_group(cli_commands[i], group)) {
            print_summary(cli_commands[i]);
        }
    }
    (void)printf("\nkeystay help %s COMMAND explains one, with an example.\n", group);
}

static void print_overview(void)
{
    (void)printf("Usage: keystay COMMAND [OPTION...]\n\n"
                 "OAuth access tokens from keys that stay in hardware.\n\nCommands:\n");
    for (size_t i = 0; i < cli_n_commands; i++) {
        print_summary(cli_commands[i]);
    }
    (void)printf("\nFor every command:\n");
    print_options(cli_global_options);
    (void)printf("\n%s", exit_text);
}

/* "key list" comes as two words. */
static const struct command *asked_for(const struct cli *cli, char *name, size_t size)
{
    (void)snprintf(
        name, size, "%s%s%s", cli->arguments[0], cli->arguments[1] == NULL ? "" : " ",
        cli->arguments[1] == NULL ? "" : cli->arguments[1]);
    return cli_find_command(name);
}

static enum keystay_status run_help(struct cli *cli, struct keystay_error *err)
{
    char name[64];

    if (cli->arguments[0] == NULL) {
        print_overview();
        return KEYSTAY_OK;
    }
    const struct command *command = asked_for(cli, name, sizeof(name));
    if (command != NULL) {
        print_command(command);
        return KEYSTAY_OK;
    }
    if (cli->arguments[1] == NULL && cli_is_group(name)) {
        print_group(name);
        return KEYSTAY_OK;
    }
    return options_unknown_command(cli_is_group(cli->arguments[0]) ? cli->arguments[0] : name, name, err);
}

const struct command command_help = {
    .name = "help",
    .arguments = "[COMMAND]",
    .arguments_max = 2,
    .summary = "explain a command, or list them",
    .help = "Shows what a command does, its options and an example.\n\n  keystay help token\n",
    .run = run_help,
};

static enum keystay_status run_version(struct cli *cli, struct keystay_error *err)
{
    (void)cli;
    (void)err;
    (void)printf("keystay %s\n", KEYSTAY_VERSION);
    return KEYSTAY_OK;
}

const struct command command_version = {
    .name = "version",
    .arguments = "",
    .summary = "print the version",
    .help = "Prints the version of keystay.\n\n  keystay version\n",
    .run = run_version,
};
