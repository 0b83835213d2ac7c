# SPDX-License-Identifier: Apache-2.0
"""keystay agent: an agent is started, looked at, told what to do, and ended."""

import os
import pwd
import re
import shutil
import subprocess
import time

import pytest

import cli
from agent import caller, steer, token
from cli import refused
from endure import OTHER, public_folder, wait_for
from terminal import Terminal

PERSON = {"main": {"pin_source": "tty"}}
WRONG = "98765432"


# --- the PIN ---------------------------------------------------------------------------------------------------------


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
    assert re.search(rf"\nCALLER .*\n{me} .*main +1 token +now +its own\n", out), out


def test_status_says_since_when_and_what_it_waits_for(start):
    agent = start(profiles={"broken": {"key": "pkcs11:object=nothing"}, "person": {"pin_source": "tty"}})
    assert agent.get("/v1/token?profile=broken").status == 400
    out = steer(agent, "status").out
    assert re.search(r"\nbroken +failing .*\n  since (now|1 second ago); (not tried again for 1 s|the next request tries again)\n",
                     out), out
    assert re.search(r"\nperson +locked .*\n  since .*; waits for: keystay agent unlock person\n", out), out
    wait_for(lambda: agent.profile("broken")["tries_again_in"] == 0)
    assert "; the next request tries again\n" in steer(agent, "status").out
    assert abs(agent.profile("person")["since"] - time.time()) < 60


def test_status_of_a_failure_that_is_over(start):
    agent = start(profiles={"main": {"authority": "https://127.0.0.1:1"}})
    assert agent.get("/v1/token?profile=main").status == 503
    out = steer(agent, "status").out
    assert re.search(r"\nmain +ready .*\n  last failure, now: .*127\.0\.0\.1", out), out


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


def test_where_an_agent_was_looked_for(start, tmp_path):
    """The story: of two places one was named; and where there is no session, as for a job of cron, the advice was to
    configure a socket."""
    agent = start()
    environment = {"KEYSTAY_AGENT_SOCKET": None, "KEYSTAY_CONFIG": "/dev/null", "XDG_RUNTIME_DIR": str(tmp_path)}
    of_system = "/run/keystay/agent.sock"
    words = ["no agent answers", of_system]
    if os.geteuid() != 0:
        words.append(f"{tmp_path}/keystay/agent.sock")
    refused(steer(agent, "status", env=environment), 1, *words, hint="keystay agent run")
    refused(steer(agent, "stop", env=environment | {"XDG_RUNTIME_DIR": None}), 7, "no agent answers", of_system)


def test_a_profile_that_is_mistyped(start):
    agent = start(profiles={"main": {}, "backup": {"pin_source": "tty"}})
    for command in (["unlock", "bakcup"], ["lock", "bakcup"], ["forget", "bakcup"]):
        refused(steer(agent, *command), 3, "no profile of that name", hint="did you mean backup?")
    refused(token(agent, "bakcup", "--agent", "always"), 3, "no profile of that name", "did you mean backup")
    refused(token(agent, "bakcup"), 3, "an agent was asked, too", hint="did you mean backup?")
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
    deadline = time.monotonic() + 60
    while not agent.is_answering():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    assert agent.status()["pid"] == process.pid
    assert steer(agent, "stop").status == 0
    assert process.wait(60) == 0 and not os.path.exists(agent.socket)
    process.stderr.close()


def test_run_without_the_program(start):
    agent = start()
    refused(steer(agent, "run", env={"KEYSTAY_AGENT_PROGRAM": "/nonexistent/agent"}), 3, "/nonexistent/agent", hint="whole")


def test_run_beside_another(start):
    agent = start()
    result = steer(agent, "run")
    assert result.status == 3 and "listens at" in result.err, result
