# SPDX-License-Identifier: Apache-2.0
"""keystay token through an agent that runs."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading

import pytest

import cli
from agent import caller, steer, token
from cli import refused
from endure import OTHER, public_folder
from terminal import Terminal

SECONDS = 10  # about, for parts that take equally long
PERSON = {"main": {"pin_source": "tty"}}
WRONG = "98765432"


# --- a token ---------------------------------------------------------------------------------------------------------


def test_a_token_is_the_agents(start):
    agent = start(shim="")
    held = agent.token()
    assert token(agent, "main").token == held
    assert token(agent, "main", "--agent", "always").token == held
    assert json.loads(token(agent, "main", "--format", "json").out)["access_token"] == held
    assert agent.calls().count("C_Login") == 1


@pytest.mark.parametrize("arguments, env", [
    (["main", "--agent", "never"], {}),
    (["main"], {"KEYSTAY_AGENT": "never"}),
    (["main", "--min-valid", "10"], {}),
    (["main"], {"KEYSTAY_TIMEOUT": "29"}),
], ids=["never", "never, by the environment", "a profile's flag", "a profile's variable"])
def test_a_token_is_not_the_agents(start, arguments, env):
    agent = start()
    held = agent.token()
    assert token(agent, *arguments, env=env).token != held
    assert agent.status()["requests"]["served_held"] == 0


def test_without_a_profiles_name_nobody_else_is_asked(start, tmp_path):
    agent = start()
    held = agent.token()
    other = tmp_path / "other.conf"
    with open(agent.config_path, encoding="utf-8") as file:
        other.write_text(file.read().replace("[profile main]", "[defaults]"))
    assert token(agent, "--config", str(other), env={"KEYSTAY_AGENT_SOCKET": agent.socket}).token != held
    assert agent.status()["requests"]["served_held"] == 0


def test_another_configuration_names_another_agent(start, tmp_path):
    agent = start()
    held = agent.token()
    other = tmp_path / "other.conf"
    with open(agent.config_path, encoding="utf-8") as file:
        other.write_text(file.read().replace("socket = ", "# "))
    assert token(agent, "main", "--config", str(other), env={"KEYSTAY_AGENT_SOCKET": None}).token != held
    assert token(agent, "main", "--config", str(other), env={"KEYSTAY_AGENT_SOCKET": agent.socket}).token == held


def test_always(start):
    agent = start(profiles={"main": {}, "other": {}})
    held = agent.token("main")
    assert token(agent, "main", "--agent", "always", "--min-valid", "10").token == held
    other = token(agent, "main", "--agent", "always", "--scope", "https://vault.example/.default").token
    assert other != held and other == agent.token("main", scope="https://vault.example/.default")
    refused(token(agent, "--agent", "always"), 2, "which?")
    refused(token(agent, "main", "--agent", "always", "--tenant", "x"), 2, "--tenant is given")
    refused(token(agent, "main", "--agent", "always", env={"KEYSTAY_TENANT": "x"}), 2, "KEYSTAY_TENANT is given")
    refused(token(agent, "nobody", "--agent", "always"), 3, "no profile of that name")
    refused(token(agent, "main", env={"KEYSTAY_AGENT": "perhaps"}), 2, "KEYSTAY_AGENT")


def test_claims_get_a_token_of_their_own(start):
    agent = start()
    held = agent.token()
    assert token(agent, "main", "--claims", '{"access_token":{"nbf":{"essential":true}}}').token != held
    assert agent.status()["requests"]["served_new"] == 2


def test_without_an_agent(start):
    agent = start()
    held = agent.token()
    agent.stop()
    result = token(agent, "main", "--verbose")
    assert result.token != held and "without an agent" in result.err
    result = refused(token(agent, "main", "--agent", "always"), 7, "no agent answers", agent.socket, hint="agent run")
    report = json.loads(token(agent, "main", "--agent", "always", "--error-format", "json").err)
    assert (report["status"], report["exit_status"]) == ("agent", 7)


def test_a_profile_that_the_agent_does_not_have(start):
    agent = start()
    with open(agent.config_path, encoding="utf-8") as file:
        text = file.read()
    with open(agent.config_path, "a", encoding="utf-8") as file:
        file.write(text[text.index("[profile main]"):].replace("[profile main]", "[profile late]"))
    result = token(agent, "late", "--verbose")
    assert result.token and "the agent has nothing for this" in result.err
    assert agent.status()["requests"]["served_new"] == 0


def test_a_profile_that_only_the_agent_has(start, tmp_path):
    agent = start()
    here = tmp_path / "here.conf"
    here.write_text(f"[agent]\nsocket = {agent.socket}\n")
    assert token(agent, "main", "--config", str(here)).token == agent.token()
    refused(token(agent, "main", "--config", str(here), "--agent", "never"), 3, "profile")


def test_what_the_agent_cannot_do_is_the_answer(start):
    agent = start(profiles={"main": {"pin_source": f"file:/nonexistent/pin"}})
    refused(token(agent, "main"), 3, "/nonexistent/pin")


def test_an_assertion_only_where_it_is_said(start):
    agent = start(grants={"me": {"profile": "main", "user": str(os.getuid()), "assertion": "yes"}})
    assert cli.run("assertion", "main", env=caller(agent)).out.count(".") == 2
    assert agent.status()["requests"]["served_new"] == 0
    assert cli.run("assertion", "main", "--agent", "always", env=caller(agent)).out.count(".") == 2
    assert agent.status()["requests"]["served_new"] == 1
    refused(cli.run("assertion", "main", "--agent", "always", env=caller(start())), 6, "may not")


def test_roots_agent_is_not_asked_for_a_profile_of_ones_own(start):
    with public_folder() as folder:
        program = shutil.copy(cli.PROGRAM, folder)
        agent = start(agent={"socket": f"{folder}/agent.sock", "socket_mode": "0666"},
                      grants={"other": {"profile": "main", "user": str(OTHER)}})
        config = pathlib.Path(folder, "config", "keystay", "keystay.conf")
        config.parent.mkdir(parents=True)

        def ask(text):
            config.write_text(text, encoding="ascii")
            os.chown(config, OTHER, OTHER)
            env = {"XDG_CONFIG_HOME": f"{folder}/config", "KEYSTAY_AGENT_SOCKET": agent.socket, "HOME": "/nonexistent"}
            return subprocess.run([program, "token", "main", "--verbose"], user=OTHER, group=OTHER, extra_groups=[],
                                  cwd="/", env=env, capture_output=True, text=True, timeout=60, check=False)

        asked = ask("[profile another]\ntenant = contoso.example\n")
        assert (asked.returncode, asked.stdout.strip()) == (0, agent.token()), asked
        own = ask("[profile main]\ntenant = contoso.example\n")
        assert own.returncode == 3 and own.stdout == "" and "your own profile" in own.stderr, own


# --- whom to trust ---------------------------------------------------------------------------------------------------

LISTENER = """
import os, socket, sys
place = socket.socket(socket.AF_UNIX)
os.setgid(65534); os.setuid(65534)
place.bind(sys.argv[1]); place.listen(); print("there", flush=True)
caller, _ = place.accept(); heard = caller.recv(65536)
print(repr(heard), flush=True)
"""


@pytest.fixture
def foreign(tmp_path):
    """A socket that nobody listens at; afterwards() is what it was told."""
    assert os.getuid() == 0, "another user's socket takes root"
    place = f"/run/keystay-test-{os.getpid()}"
    os.mkdir(place)
    os.chown(place, 65534, 65534)
    path = os.path.join(place, "agent.sock")
    process = subprocess.Popen([sys.executable, "-c", LISTENER, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "there\n"
    yield path, lambda: process.communicate(timeout=60)[0]
    process.kill()
    process.communicate()
    os.unlink(path)
    os.rmdir(place)


def test_a_strangers_socket_is_told_nothing(start, foreign):
    agent = start(shim="")
    path, heard = foreign
    refused(token(agent, "main", "--agent", "always", env={"KEYSTAY_AGENT_SOCKET": path}), 7,
            "user 65534 listens there", "nothing was sent")
    assert heard() == "b''\n"


@pytest.mark.parametrize("command", [["status"], ["lock"], ["unlock", "main"], ["reload"], ["stop"]])
def test_a_strangers_socket_is_not_steered(start, foreign, command):
    path, heard = foreign
    refused(steer(start(), *command, env={"KEYSTAY_AGENT_SOCKET": path}), 7, "nothing was sent")
    assert heard() == "b''\n"


def test_a_strangers_socket_is_passed_over(start, foreign):
    agent = start()
    path, heard = foreign
    result = token(agent, "main", "--verbose", env={"KEYSTAY_AGENT_SOCKET": path})
    assert result.token != agent.token() and "without an agent" in result.err
    assert heard() == "b''\n"


def test_where_nobody_is_let_in_nobody_waits_for_ever(start, tmp_path):
    """An agent that hangs, or a socket that somebody else has made so."""
    agent = start()
    path = str(tmp_path / "agent.sock")
    with socket.socket(socket.AF_UNIX) as place, contextlib.ExitStack() as held:
        place.bind(path)
        place.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                one = held.enter_context(socket.socket(socket.AF_UNIX))
                one.setblocking(False)
                one.connect(path)
        assert token(agent, "main", env={"KEYSTAY_AGENT_SOCKET": path}).token
        refused(token(agent, "main", "--agent", "always", env={"KEYSTAY_AGENT_SOCKET": path}), 7, "no agent answers")


def answer_once(place, answer):
    one, _ = place.accept()
    with one:
        one.recv(65536)
        with contextlib.suppress(BrokenPipeError):
            one.sendall(answer)


@pytest.mark.parametrize("answer, status, words", [
    (b"", 7, "did not answer"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", 7, "did not answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", 7, "did not answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 6, "access_token"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull", 7, "agent.sock"),
    (b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}", 7, "HTTP status 500"),
    (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 7, "HTTP status 302"),
    (b'HTTP/1.1 200 OK\r\nContent-Length: 47\r\n\r\n{"access_token":"a\\nb","expires_on":4000000000}', 6, "token"),
], ids=["nothing", "another protocol", "half of it", "no token", "no object", "no error", "a redirect", "a line end"])
def test_nonsense(start, tmp_path, answer, status, words):
    path = str(tmp_path / "agent.sock")
    agent = start()
    with socket.socket(socket.AF_UNIX) as place:
        place.bind(path)
        place.listen()
        thread = threading.Thread(target=answer_once, args=(place, answer))
        thread.start()
        result = token(agent, "main", "--agent", "always", env={"KEYSTAY_AGENT_SOCKET": path})
        thread.join(60)
    assert result.status == status and result.out == "" and words in result.err, result


# --- the PIN ---------------------------------------------------------------------------------------------------------


def test_a_person_is_asked_where_the_token_is_wanted(start, main_folder):
    agent = start(profiles=PERSON, shim="")
    with Terminal(["token", "main"], caller(agent), stderr_too=True) as terminal:
        terminal.wait_for_question()
        assert b"PIN for profile main (pkcs11:object=assertion): " in terminal.shown
        terminal.type(f"{main_folder.pin}\n")
        status, out, _ = terminal.finish()
    assert status == 0 and out[:-1] == agent.token()
    assert agent.calls().count("C_Login") == 1 and main_folder.pin.encode() not in terminal.shown


def test_a_wrong_pin_is_the_agents_answer(start):
    agent = start(profiles=PERSON, shim="")
    with Terminal(["token", "main"], caller(agent), stderr_too=True) as terminal:
        terminal.wait_for_question()
        terminal.type(f"{WRONG}\n")
        status, out, _ = terminal.finish()
    assert (status, out) == (8, "") and agent.calls().count("C_Login") == 1


def test_nobody_is_asked_without_a_terminal(start):
    refused(token(start(profiles=PERSON), "main"), 3, "is locked", hint="keystay agent unlock main")
