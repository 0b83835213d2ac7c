# SPDX-License-Identifier: Apache-2.0
"""The command line itself: help, version, its manual pages, and words that are none of it."""

import pathlib
import re

import pytest

import cli
from cli import refused

COMMANDS = ("token", "assertion", "key generate", "key delete", "cert create",
            "cert request", "cert import", "cert export", "cert show", "cert status", "jwt decode", "jwt verify", "profile list", "profile show",
            "completion bash", "completion zsh", "completion fish", "help", "version")


@pytest.mark.parametrize("arguments", [["version"], ["--version"], ["-V"], ["token", "--version"]])
def test_version(arguments):
    result = cli.run(*arguments)
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("keystay ") and result.out.count("\n") == 1


@pytest.mark.parametrize("arguments", [["help"], ["--help"], ["-h"]])
def test_help_lists_the_commands(arguments):
    result = cli.run(*arguments)
    assert (result.status, result.err) == (0, "")
    assert all(f"\n  {command} " in result.out for command in COMMANDS)
    assert "Exit status" in result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_on_a_command(command):
    one, other = cli.run("help", *command.split()), cli.run(*command.split(), "--help")
    assert (one.status, one.err) == (0, "")
    assert one.out == other.out
    assert f"Usage: keystay {command}" in one.out and f"\n  keystay {command}" in one.out


@pytest.mark.parametrize("group", sorted({command.split()[0] for command in COMMANDS if " " in command}))
def test_help_on_the_first_word_of_a_command(group):
    """The story: "keystay agent --help" said that a second word was missing, "keystay help agent" that there was none."""
    one, other = cli.run("help", group), cli.run(group, "--help")
    assert (one.status, one.err) == (0, "") and (other.status, other.out) == (0, one.out)
    overview = cli.run("help").out.partition("Commands:\n")[2].partition("\n\n")[0]
    listed = one.out.partition("Commands:\n")[2].partition("\n\n")[0]
    assert listed.splitlines() == [line for line in overview.splitlines() if line.startswith(f"  {group} ")] != []


def test_manual_pages_know_every_command_and_option():
    pages = {path.name: path.read_text() for path in (pathlib.Path(__file__).parents[2] / "docs").glob("*.scd")}
    lines = cli.run("help").out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    for command in (line[2:26].strip() for line in lines):
        words = command.split()
        heading = rf"^(?=.*\*{words[0]}\*).*\*{words[-1]}\*"
        assert re.search(heading, pages["keystay.1.scd"].partition("# COMMANDS")[2].partition("# OPTIONS")[0], re.M), command
        for option in re.findall(r"^  .{4}(--[a-z0-9-]+)", cli.run("help", *words).out, re.M):
            assert any(f"*{option}*" in page for page in pages.values()), (command, option)


def test_help_on_token_names_each_setting(keystay):
    out = cli.run("help", "token").out
    names = [*keystay.defaults, "provider", "resource", "audience", "lifetime", "alg", "thumbprint",
             "module_args", "pin_final_try", "allow_extractable", "timeout", "cache", "format"]
    assert [name for name in names if f"--{name.replace('_', '-')}" not in out] == []
    for word in ("KEYSTAY_<NAME>", "AZURE_TENANT_ID", "file:PATH, fd:N, env:NAME"):
        assert word in out
    assert all(len(line) <= 110 for line in out.splitlines())


@pytest.mark.parametrize("arguments, words, hint", [
    ([], ["which command?"], "keystay help"),
    (["tokn"], ["no command 'tokn'"], "keystay token"),
    (["frobnicate"], ["no command 'frobnicate'"], "keystay help"),
    (["help", "frobnicate"], ["no command 'frobnicate'"], "keystay help"),
    (["help", "tokn"], ["no command 'tokn'"], "keystay token"),
    (["help", "agent", "statsu"], ["second word: run, status"], "keystay agent status"),
    (["agent"], ["second word: run, status"], "keystay help agent"),
    (["help", "token", "more"], ["no command 'token more'"], "keystay help"),
    (["version", "more"], ["a word too many", "'version' takes none"], "keystay help version"),
    (["token", "a", "more"], ["a word too many", "'token' takes [PROFILE]"], "keystay help token"),
    (["token", "--tenat", "x"], ["no option --tenat"], "--tenant"),
    (["token", "--frobnicate"], ["no option --frobnicate"], "keystay help token"),
    (["--frobnicate"], ["no option --frobnicate"], "keystay help"),
    (["token", "-x"], ["no option -x"], "keystay help token"),
    (["token", "--tenant"], ["--tenant wants a value"], "keystay help token"),
    (["token", "--tenant", "a", "--tenant", "b"], ["--tenant is given twice"], ""),
    (["token", "--format", "yaml"], ["--format", "raw", "json"], ""),
    (["--error-format", "xml", "version"], ["--error-format"], ""),
    (["assertion", "--format", "json"], ["no option --format"], ""),
    (["version", "--tenant", "x"], ["no option --tenant"], ""),
])
def test_wrong_words(arguments, words, hint):
    refused(cli.run(*arguments), 2, *words, hint=hint)


def test_control_characters_in_arguments_do_not_reach_the_terminal():
    evil = "\x1b]0;owned\x07\x9b31m"
    for arguments in ([evil], ["token", evil], [f"--{evil}"], ["help", evil], ["token", "--alg", evil]):
        result = cli.run(*arguments)
        assert result.status in (2, 3)
        assert not any(control in result.err for control in "\x1b\x07\x9b"), result.err


def test_a_word_that_went_astray_is_not_repeated():
    """It may be a PIN: --pin-final-try takes no value."""
    for words, status in (["73914682"], 3), (["x", "73914682"], 2):
        result = refused(cli.run("token", "--pin-final-try", *words), status)
        assert "73914682" not in result.err
