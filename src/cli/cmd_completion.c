/* SPDX-License-Identifier: Apache-2.0 */
/* The scripts by which shells complete command lines. The build prints each once, to be installed. */
#include "cli/completion.h"

static enum keystay_status run_bash(struct cli *cli, struct keystay_error *err)
{
    (void)cli;
    (void)err;
    completion_bash_put();
    return KEYSTAY_OK;
}

static enum keystay_status run_zsh(struct cli *cli, struct keystay_error *err)
{
    (void)cli;
    (void)err;
    completion_zsh_put();
    return KEYSTAY_OK;
}

static enum keystay_status run_fish(struct cli *cli, struct keystay_error *err)
{
    (void)cli;
    (void)err;
    completion_fish_put();
    return KEYSTAY_OK;
}

const struct command command_completion_bash = {
    .name = "completion bash",
    .arguments = "",
    .summary = "print the completion script for bash",
    .help = "Prints what is installed for bash-completion, for those who have keystay without it.\n"
            "\n"
            "  keystay completion bash >~/.local/share/bash-completion/completions/keystay\n",
    .run = run_bash,
};

const struct command command_completion_zsh = {
    .name = "completion zsh",
    .arguments = "",
    .summary = "print the completion script for zsh",
    .help =
        "Prints what is installed for zsh, for those who have keystay without it: into a folder of fpath.\n"
        "\n"
        "  keystay completion zsh >~/.zfunc/_keystay\n",
    .run = run_zsh,
};

const struct command command_completion_fish = {
    .name = "completion fish",
    .arguments = "",
    .summary = "print the completion script for fish",
    .help = "Prints what is installed for fish, for those who have keystay without it.\n"
            "\n"
            "  keystay completion fish >~/.config/fish/completions/keystay.fish\n",
    .run = run_fish,
};
