# SPDX-License-Identifier: Apache-2.0
"""keystay agent, and keystay token through an agent that runs."""

import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest

import agent as agents
import cli
from agent import caller
from cli import refused
from endure import OTHER, public_folder
from terminal import Terminal

PERSON = {"main": {"pin_source": "tty"}}
WRONG = "98765432"


def token(agent, *arguments, env=None):
    return cli.run("token", *arguments, env=caller(agent, env))


def steer(agent, *arguments, env=None):
    return cli.run("agent", *arguments, env=caller(agent, env))


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
    yield path, lambda: process.communicate(timeout=20)[0]
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


@pytest.mark.parametrize("answer, words", [
    (b"", "did not answer"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "did not answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", "did not answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "access_token"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull", "agent.sock"),
    (b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}", "HTTP status 500"),
    (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "HTTP status 302"),
    (b'HTTP/1.1 200 OK\r\nContent-Length: 47\r\n\r\n{"access_token":"a\\nb","expires_on":4000000000}', "token"),
], ids=["nothing", "another protocol", "half of it", "no token", "no object", "no error", "a redirect", "a line end"])
def test_nonsense(start, tmp_path, answer, words):
    path = str(tmp_path / "agent.sock")
    agent = start()
    with socket.socket(socket.AF_UNIX) as place:
        place.bind(path)
        place.listen()
        thread = threading.Thread(target=answer_once, args=(place, answer))
        thread.start()
        result = token(agent, "main", "--agent", "always", env={"KEYSTAY_AGENT_SOCKET": path})
        thread.join(20)
    assert result.status in (6, 7) and result.out == "" and words in result.err, result


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


def test_unlocking_at_a_terminal(start, main_folder):
    agent = start(profiles=PERSON)
    with Terminal(["agent", "unlock", "main"], caller(agent)) as terminal:
        terminal.wait_for_question()
        terminal.type(f"{main_folder.pin}\n")
        assert terminal.finish()[0] == 0
    assert agent.profile()["state"] == "ready"


def test_unlocking_from_a_source(start, main_folder):
    agent = start(profiles=PERSON, shim="")
    for source in (main_folder.pin_source, "file:/nonexistent"):  # once it is open, none is read
        result = steer(agent, "unlock", "main", "--pin-source", source)
        assert (result.status, result.out, result.err) == (0, "", ""), result
    assert agent.token() and agent.calls().count("C_Login") == 1


@pytest.mark.parametrize("arguments, status, words", [
    (["unlock"], 2, "which profile?"),
    (["unlock", "nobody", "--pin-source", "file:/dev/null"], 3, "no profile of that name"),
    (["unlock", "main"], 3, "no terminal"),
    (["unlock", "main", "--pin-source", "file:/dev/null"], 3, "empty"),
    (["unlock", "main", "--pin-source", "none"], 2, "none"),
    (["unlock", "main", "--pin-source", "hunter2"], 3, "pin"),
    (["lock", "nobody"], 3, "no profile of that name"),
    (["forget", "nobody"], 3, "no profile of that name"),
])
def test_what_is_refused(start, arguments, status, words):
    agent = start(profiles=PERSON)
    result = refused(steer(agent, *arguments), status, words)
    assert "hunter2" not in result.err and agent.profile()["state"] == "locked"


def test_a_wrong_pin_from_a_source(start, tmp_path):
    agent = start(profiles=PERSON)
    (tmp_path / "pin").write_text(WRONG)
    refused(steer(agent, "unlock", "main", "--pin-source", f"file:{tmp_path}/pin"), 8, "CKR_PIN_INCORRECT")
    assert agent.profile()["state"] == "pin wrong"


def test_locking_and_unlocking_what_gets_its_pin_itself(start):
    agent = start(shim="")
    agent.token()
    assert steer(agent, "lock", "main").status == 0 and agent.profile()["state"] == "locked"
    assert steer(agent, "unlock", "main").status == 0 and agent.profile()["state"] == "ready"
    assert agent.calls().count("C_Login") == 2


# --- the programs by their own names ---------------------------------------------------------------------------------


def by_name(program, *arguments, **options):
    result = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
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
        result = subprocess.run([program, "--help"], stdout=full, stderr=subprocess.PIPE, timeout=30, check=False)
    assert result.returncode == 70


# --- steering --------------------------------------------------------------------------------------------------------


def test_forgetting(start):
    agent = start(profiles={"main": {}, "other": {}})
    main, other = agent.token("main"), agent.token("other")
    assert steer(agent, "forget", "main").status == 0
    assert agent.token("main") != main and agent.token("other") == other
    assert steer(agent, "forget").status == 0
    assert agent.token("other") != other


def test_reloading(start):
    agent = start()
    agent.write_config({"main": {}, "late": {}})
    assert steer(agent, "reload").status == 0
    assert agent.profile("late")["state"] == "idle"
    agent.write_config({"main": {"timeout": "soon"}})
    assert refused(steer(agent, "reload", "--config", "/dev/null", env={"KEYSTAY_AGENT_SOCKET": agent.socket}), 3, "timeout")
    assert agent.profile("late")["state"] == "idle"


def test_status(start):
    agent = start(profiles={"main": {}, "a-long-name-of-a-profile": {"pin_source": "tty"},
                            "broken": {"key": "pkcs11:object=nothing"}})
    agent.token("main")
    assert agent.get("/v1/token?profile=broken").status != 200
    out = steer(agent, "status").out
    lines = out.splitlines()
    assert lines[0].startswith("keystay-agent ") and f"process {agent.process.pid}," in lines[0]
    assert lines[1] == f"listening: {agent.socket}"
    assert "0 served from memory, 1 with a new token, 1 failed, 0 refused" in lines[2]
    rows = {line.split()[0]: line for line in lines if line and not line.startswith(" ")}
    assert rows["main"].split()[1:3] == ["ready", "1"] and "in " in rows["main"] and "days" in rows["main"]
    assert rows["a-long-name-of-a-profile"].split()[1:3] == ["locked", "0"]
    assert "failing" in rows["broken"] and "no such private key" in out and "\n  try: " in out
    assert re.search(r"\n  https://\S+: ends in (59|60) minutes\n", out), out
    me = pwd.getpwuid(os.getuid()).pw_name
    assert re.search(rf"\nCALLER .*\n{me} .*main +1 tokens +now +its own\n", out), out


def test_status_of_a_failure_that_is_over(start):
    agent = start(profiles={"main": {"authority": "https://127.0.0.1:1"}})
    assert agent.get("/v1/token?profile=main").status == 503
    out = steer(agent, "status").out
    assert re.search(r"\nmain +ready .*\n  failed now: .*127\.0\.0\.1", out), out


def test_status_as_json(start):
    agent = start()
    agent.token()
    agent.token()
    report = steer(agent, "status", "--format", "json").json
    assert report["pid"] == agent.process.pid and report["n_callers"] == 1
    [caller_] = report["callers"]
    assert time.time() - caller_.pop("last") < 20
    caller_.pop("unit", None)
    assert caller_ == {"uid": os.getuid(), "profile": "main", "given": "tokens", "times": 2}


def test_status_without_an_agent(start):
    agent = start()
    agent.stop()
    refused(steer(agent, "status"), 1, "no agent answers", hint="keystay agent run")
    for command in (["reload"], ["forget"], ["lock"], ["unlock", "main"], ["stop"]):
        refused(steer(agent, *command), 7, "no agent answers")


def test_a_profile_that_is_mistyped(start):
    agent = start(profiles={"main": {}, "backup": {"pin_source": "tty"}})
    for command in (["unlock", "bakcup"], ["lock", "bakcup"], ["forget", "bakcup"]):
        refused(steer(agent, *command), 3, "no profile of that name", hint="did you mean backup?")
    refused(token(agent, "bakcup", "--agent", "always"), 3, "no profile of that name", "did you mean backup")
    refused(token(agent, "bakcup"), 3, hint="did you mean backup?")
    refused(steer(agent, "lock", "quite-another"), 3, "no profile of that name", hint="agent status lists them")


def test_what_is_no_socket(start, tmp_path):
    agent = start()
    path = tmp_path / "file"
    path.touch()
    env = {"KEYSTAY_AGENT_SOCKET": str(path)}
    refused(steer(agent, "status", env=env), 1, f"{path} is no socket", hint="KEYSTAY_AGENT_SOCKET")
    refused(steer(agent, "stop", env=env), 7, f"{path} is no socket")
    refused(token(agent, "main", "--agent", "always", env=env), 7, f"{path} is no socket")
    env = {"KEYSTAY_AGENT_SOCKET": f"{tmp_path}/{'long' * 30}"}
    refused(steer(agent, "status", env=env), 3, "longer than the 107 bytes", hint="[agent]")
    agent.stop()
    agent.write_config({"main": {}}, {"socket": str(path)})
    result = steer(agent, "run")
    assert result.status == 3 and f"{path} is there and is no socket" in result.err and "try: remove it" in result.err


def test_a_socket_that_an_agent_left_behind(start):
    agent = start()
    agent.process.kill()
    agent.process.wait()
    refused(steer(agent, "status"), 1, "the one that listened there has ended", hint="keystay agent run")
    agent._start()
    assert steer(agent, "status").status == 0


def test_a_socket_that_is_not_for_us(start):
    with public_folder() as folder:
        program = shutil.copy(cli.PROGRAM, folder)
        agent = start(agent={"socket": f"{folder}/agent.sock", "socket_mode": "0600"})
        result = subprocess.run([program, "agent", "status"], user=OTHER, group=OTHER, extra_groups=[], cwd="/",
                                env={"KEYSTAY_AGENT_SOCKET": agent.socket, "HOME": "/nonexistent"}, capture_output=True,
                                text=True, timeout=60, check=False)
        assert result.returncode == 1 and f"this user may not connect to {agent.socket}" in result.stderr, result


def test_a_status_that_nobody_reads(start):
    agent = start()
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        refused(cli.run("agent", "status", env=caller(agent), stdout=closed), 70, "cannot write to stdout: Broken pipe")
    with open("/dev/full", "w", encoding="ascii") as full:
        refused(cli.run("agent", "status", "--format", "json", env=caller(agent), stdout=full), 70,
                "cannot write to stdout: No space left")
    first = subprocess.run([f"{cli.PROGRAM} agent status | head -1"], shell=True, env=cli.environment(caller(agent)),
                           capture_output=True, text=True, timeout=60, check=True)
    assert first.stdout.startswith("keystay-agent ") and first.stderr == ""


def test_run_and_stop(start, tmp_path):
    """A program that becomes the agent, and ends when it is told to."""
    agent = start()
    agent.stop()
    process = subprocess.Popen([cli.PROGRAM, "agent", "run", "--config", agent.config_path], stdin=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, env=cli.environment(caller(agent)))
    deadline = time.monotonic() + 20
    while not agent.is_answering():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    assert agent.status()["pid"] == process.pid
    assert steer(agent, "stop").status == 0
    assert process.wait(20) == 0 and not os.path.exists(agent.socket)
    process.stderr.close()


def test_run_without_the_program(start):
    agent = start()
    refused(steer(agent, "run", env={"KEYSTAY_AGENT_PROGRAM": "/nonexistent/agent"}), 3, "/nonexistent/agent", hint="whole")


def test_run_beside_another(start):
    agent = start()
    result = steer(agent, "run")
    assert result.status == 3 and "listens at" in result.err, result


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
