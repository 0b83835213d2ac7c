# SPDX-License-Identifier: Apache-2.0
"""The agent and the signer by their own names: help, versions, and options that are wrong."""

import subprocess

import pytest

import agent as agents
import cli

WRONG = "98765432"


def by_name(program, *arguments, **options):
    result = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                            env=cli.environment(), check=False, **options)
    assert result.returncode in (0, 2, 70), result
    return result


PROGRAMS = [(agents.AGENT, "keystay-agent", "keystay agent run"), (agents.SIGNER, "keystay-signer", "--isolate")]


@pytest.mark.parametrize("program, name, words", PROGRAMS, ids=["agent", "signer"])
def test_a_program_explains_itself(program, name, words):
    version = cli.run("version").out.replace("keystay", name)
    for option, text in (("--help", words), ("-h", words), ("--version", version), ("-V", version)):
        result = by_name(program, option)
        assert (result.returncode, result.stderr) == (0, "") and text in result.stdout and name in result.stdout, result


def test_the_agents_help_has_its_options():
    for option in ("-c, --config FILE", "-v, --verbose", "-h, --help", "-V, --version", "SIGTERM", "SIGHUP"):
        assert option in by_name(agents.AGENT, "--help").stdout, option
    assert by_name(agents.AGENT, "--version", "--help").stdout == by_name(agents.AGENT, "--help").stdout


@pytest.mark.parametrize("arguments, words, hint", [
    (["--hlep"], "there is no option --hlep", "did you mean --help?"),
    (["--pin=98765432"], "there is no option --pin", "keystay-agent --help"),
    (["-x"], "there is no option -x", "keystay-agent --help"),
    (["--config"], "--config wants a value", "keystay-agent --help"),
    (["-c"], "-c wants a value", "keystay-agent --help"),
    (["--verbose=98765432"], "there is no option --verbose", "did you mean --verbose?"),
    (["run"], "run: keystay-agent takes nothing but options", "keystay-agent --help"),
    (["--verbose", "--", "--help"], "--help: keystay-agent takes nothing but options", "keystay-agent --help"),
])
def test_a_wrong_option_of_the_agent_is_named(arguments, words, hint):
    result = by_name(agents.AGENT, *arguments)
    assert (result.returncode, result.stdout) == (2, "") and result.stderr.count("\n") == 2, result
    assert result.stderr.startswith(f"keystay-agent: {words}\n  try: {hint}") and WRONG not in result.stderr, result


@pytest.mark.parametrize("arguments, words", [
    ([], "started by keystay (--isolate)"), (["--hlep"], "--hlep"), (["--pin=98765432"], "--pin:"), (["a", "b"], "a:"),
    (["--help", "more"], "alone")])
def test_a_signer_by_hand(arguments, words):
    result = by_name(agents.SIGNER, *arguments)
    assert (result.returncode, result.stdout) == (2, "") and words in result.stderr and WRONG not in result.stderr, result
    assert result.stderr.endswith("  try: keystay-signer --help\n")


@pytest.mark.parametrize("program", [agents.AGENT, agents.SIGNER], ids=["agent", "signer"])
def test_help_that_cannot_be_written(program):
    with open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run([program, "--help"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert result.returncode == 70
