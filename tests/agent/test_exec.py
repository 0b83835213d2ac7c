# SPDX-License-Identifier: Apache-2.0
"""keystay exec: a command that believes to have a managed identity, from a running agent or one of its own."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import cli
from agent import caller
from cli import CLIENT, RESOURCE, refused
from terminal import Terminal

ASK = f"""
import json, os, urllib.request
url = os.environ["IDENTITY_ENDPOINT"] + "?api-version=2019-08-01&resource={RESOURCE}"
request = urllib.request.Request(url, headers={{"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]}})
print(urllib.request.urlopen(request).read().decode())
"""
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


def run(agent, *arguments, env=None, **popen):
    return cli.run("exec", *arguments, env=caller(agent, env), **popen)


def python(agent, code, *options, env=None, profile="main"):
    return run(agent, *options, profile, "--", sys.executable, "-c", code, env=env)


def wait_until_gone(words):
    deadline = time.monotonic() + 60
    while subprocess.run(["pgrep", "-f", words], stdout=subprocess.DEVNULL, check=False).returncode == 0:
        assert time.monotonic() < deadline, words
        time.sleep(0.05)


def test_a_command_gets_tokens_of_the_running_agent(start):
    agent = start(shim="")
    held = agent.token()
    result = python(agent, ASK)
    assert result.json["access_token"] == held and result.json["client_id"] == CLIENT
    assert agent.calls().count("C_Login") == 1


def test_what_the_command_is_told(start):
    agent = start()
    theirs = {"IDENTITY_SERVER_THUMBPRINT": "ab", "IDENTITY_HEADER": "old", "PIN_OF_IT": "73914682",
              "KEYSTAY_PIN_SOURCE": "env:PIN_OF_IT", "OTHER": "kept"}
    told = python(agent, SHOW, env=theirs).json
    assert told["IDENTITY_ENDPOINT"] == told["MSI_ENDPOINT"] and told["IDENTITY_ENDPOINT"].startswith("http://127.0.0.1:")
    assert told["IDENTITY_HEADER"] == told["MSI_SECRET"] and len(told["IDENTITY_HEADER"]) == 43
    assert (told["AZURE_CLIENT_ID"], told["APPSETTING_WEBSITE_SITE_NAME"], told["OTHER"]) == (CLIENT, "keystay", "kept")
    assert "IDENTITY_SERVER_THUMBPRINT" not in told


def test_a_pin_in_a_variable_is_not_the_commands(start, main_folder):
    agent = start(profiles={"main": {"pin_source": "env:PIN_OF_IT"}})
    env = {"PIN_OF_IT": main_folder.pin}
    assert "PIN_OF_IT" not in python(agent, SHOW, env=env).json
    agent.stop()
    assert "PIN_OF_IT" not in python(agent, SHOW, env=env).json
    assert python(agent, ASK, env=env).json["access_token"]  # its own agent has it


def test_the_grant_ends_with_the_command(start):
    agent = start()
    told = python(agent, SHOW).json
    headers = {"X-IDENTITY-HEADER": told["IDENTITY_HEADER"]}
    path = f"/MSI/token?api-version=2019-08-01&resource={RESOURCE}"
    deadline = time.monotonic() + 60
    while agent.get(path, headers).status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert agent.get(path, headers).status == 403


def test_the_process_is_the_commands_own(start):
    """Its status, its signals, its descriptors, and what it began with."""
    agent = start()
    assert run(agent, "main", "--", "sh", "-c", "exit 23").status == 23
    process = subprocess.Popen([cli.PROGRAM, "exec", "main", "--", "sh", "-c", "echo $$; exec sleep 60"],
                               env=cli.environment(caller(agent)), stdout=subprocess.PIPE, text=True)
    assert int(process.stdout.readline()) == process.pid
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM
    process.stdout.close()
    code = "import os, resource, signal; print(sorted(map(int, os.listdir('/proc/self/fd')))[3:-1], " \
           "resource.getrlimit(resource.RLIMIT_CORE))"
    limits = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert python(agent, code).out == limits
    mask = run(agent, "main", "--", "grep", "SigIgn", "/proc/self/status").out
    assert int(mask.split()[1], 16) & (1 << (signal.SIGPIPE - 1)) == 0


@pytest.mark.parametrize("words, status", [(["/nonexistent/command"], 127), (["no-such-command-anywhere"], 127), (["/etc/passwd"], 126)])
def test_a_command_that_cannot_be_run(start, words, status):
    refused(run(start(), "main", "--", *words), status, words[0], "cannot be run",
            hint="installed" if status == 127 else "chmod +x")


def test_without_an_agent_one_is_started(start):
    agent = start()
    held = agent.token()
    agent.stop()
    result = python(agent, ASK)
    assert result.json["access_token"] not in ("", held) and result.json["client_id"] == CLIENT
    assert result.err == ""
    wait_until_gone(f"keystay-agent --config {agent.config_path}")


def test_an_agent_of_its_own_opens_nothing_else(start):
    agent = start(agent={"listen": "127.0.0.1:0"})
    agent.stop()
    code = SHOW + f"; import os.path; assert not os.path.exists({agent.socket!r})"
    told = python(agent, code).json
    assert told["IDENTITY_ENDPOINT"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize("arguments", [["--agent", "never"], []])
def test_an_agent_of_its_own_beside_another(start, arguments):
    agent = start()
    held = agent.token()
    env = {} if arguments else {"KEYSTAY_AGENT": "never"}
    assert python(agent, ASK, *arguments, env=env).json["access_token"] != held
    assert agent.status()["requests"]["served_held"] == 0


def test_a_killed_command_leaves_no_agent(start):
    agent = start()
    agent.stop()
    process = subprocess.Popen([cli.PROGRAM, "exec", "main", "--", "sh", "-c", "echo there; exec sleep 60"],
                               env=cli.environment(caller(agent)), stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "there\n"
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
        assert file.read() == ""  # none that it did not start
    process.kill()
    process.wait()
    process.stdout.close()
    wait_until_gone(f"keystay-agent --config {agent.config_path}")


def test_the_agent_of_a_command_lives_on_after_an_interrupt(start):
    """Ctrl-C is for the command, which may go on."""
    agent = start()
    agent.stop()
    process = subprocess.Popen(
        [cli.PROGRAM, "exec", "main", "--", sys.executable, "-c",
         "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\nprint('there', flush=True)\nsignal.sigwait([signal.SIGINT])\n" + ASK],
        env=cli.environment(caller(agent)), stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout.readline() == "there\n"
    os.killpg(process.pid, signal.SIGINT)
    assert json.loads(process.communicate(timeout=60)[0])["access_token"]


def test_the_pin_is_asked_for_before_the_command_starts(start, main_folder):
    agent = start(profiles={"main": {"pin_source": "tty"}})
    agent.stop()
    with Terminal(["exec", "main", "--", sys.executable, "-c", ASK], caller(agent), stderr_too=True) as terminal:
        terminal.wait_for_question()
        assert b"PIN for profile main" in terminal.shown
        terminal.type(f"{main_folder.pin}\n")
        status, out, _ = terminal.finish()
    assert status == 0 and json.loads(out)["access_token"]


def test_a_wrong_pin_starts_nothing(start):
    agent = start(profiles={"main": {"pin_source": "tty"}})
    agent.stop()
    with Terminal(["exec", "main", "--", "echo", "started"], caller(agent), stderr_too=True) as terminal:
        terminal.wait_for_question()
        terminal.type("98765432\n")
        status, out, _ = terminal.finish()
    assert (status, out) == (8, "")
    wait_until_gone(f"keystay-agent --config {agent.config_path}")


def test_nobody_to_ask(start):
    agent = start(profiles={"main": {"pin_source": "tty"}})
    warned = run(agent, "main", "--", "echo", "started")
    assert warned.status == 0 and "agent unlock main" in warned.err
    agent.stop()
    refused(run(agent, "main", "--", "echo", "started"), 3, "no terminal")


@pytest.mark.parametrize("arguments, status, words", [
    (["main"], 2, "\"--\" is missing"),
    (["main", "true"], 2, "\"--\" is missing"),
    (["main", "--"], 2, "behind \"--\""),
    (["--", "true"], 2, "which profile?"),
    (["main", "true", "--", "true"], 2, "a word too many"),
    (["--tenant", "x", "main", "--", "true"], 2, "no option --tenant"),
    (["nobody", "--", "true"], 3, "profile"),
    (["mian", "--", "true"], 3, "did you mean main?"),
    (["--agent", "sometimes", "main", "--", "true"], 2, "--agent must be one of: auto, never or always"),
])
def test_what_is_refused(start, arguments, status, words):
    agent = start()
    refused(run(agent, *arguments), status, words)
    refused(run(agent, *arguments, env={"KEYSTAY_AGENT": "never"}), status, words)


def test_always_is_of_one_that_runs(start):
    agent = start()
    agent.stop()
    refused(run(agent, "--agent", "always", "main", "--", "true"), 7, "no agent answers", hint="agent run")


def test_without_the_program(start):
    agent = start()
    agent.stop()
    refused(run(agent, "main", "--", "true", env={"KEYSTAY_AGENT_PROGRAM": "/nonexistent/agent"}), 3, "/nonexistent/agent",
            hint="installed whole")


def test_help_is_ours_and_theirs():
    assert "Usage: keystay exec" in cli.run("exec", "--help").out
