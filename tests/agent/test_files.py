# SPDX-License-Identifier: Apache-2.0
"""Files that the agent writes for others: NAME.env, and assertions for AZURE_FEDERATED_TOKEN_FILE."""

import os
import re
import signal
import stat
import subprocess
import sys
import time

import pytest

import agent as agents
import signed
from cli import CLIENT, OTHER_CLIENT, RESOURCE, environment
from endure import STRANGER
from ports import free_port

MSI = f"/MSI/token?api-version=2019-08-01&resource={RESOURCE}"
ME = str(os.getuid())
DAEMON = 1  # a group that a test may give a file to when it runs as root


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def listen():
    """Where the agent is to listen: NAME.env wants a port that stays the same."""
    return {"listen": f"127.0.0.1:{free_port()}"}


def web(**changes):
    return {"web": {"profile": "main", "user": ME, "environment": "yes"} | changes}


def path_of(agent, name="web.env"):
    return os.path.join(agent.folder, name)


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def variables(path):
    """Of a file that is there by the time that the agent says it is ready, which may be after its first answer."""
    wait_for(lambda: os.path.exists(path))
    return dict(line.split("=", 1) for line in read(path).splitlines() if not line.startswith("#"))


def mode_of(path):
    info = os.stat(path)
    return stat.S_IMODE(info.st_mode), info.st_gid


def msi(agent, values):
    return agent.tcp(MSI, {"X-IDENTITY-HEADER": values["IDENTITY_HEADER"]})


def test_an_environment(start, listen):
    agent = start(agent=listen, grants=web())
    values = variables(path_of(agent))
    url = f"http://{listen['listen']}/MSI/token"
    assert values == {"IDENTITY_ENDPOINT": url, "IDENTITY_HEADER": values["IDENTITY_HEADER"], "MSI_ENDPOINT": url,
                      "MSI_SECRET": values["IDENTITY_HEADER"], "APPSETTING_WEBSITE_SITE_NAME": "keystay",
                      "AZURE_CLIENT_ID": CLIENT}
    assert mode_of(path_of(agent))[0] == 0o600
    assert msi(agent, values).token == agent.token()
    assert read(path_of(agent)).startswith(f"# keystay-agent {agent.socket}, grant web, profile main\nIDENTITY_")
    assert not os.path.exists(path_of(agent, "web.env.new"))


def test_the_address_whose_port_stays_is_the_one_that_is_told(start, listen):
    agent = start(agent={"listen": ["127.0.0.1:0", listen["listen"]]}, grants=web())
    assert variables(path_of(agent))["IDENTITY_ENDPOINT"] == f"http://{listen['listen']}/MSI/token"


@pytest.mark.parametrize("groups, mode", [([DAEMON], 0o640), ([DAEMON, 2], 0o600)])
def test_one_group_may_read(start, listen, groups, mode):
    assertion = {"assertion": "yes", "assertion_file": "{folder}/assertion", "group": groups}
    agent = start(agent=listen, grants=web(**assertion))
    for name in ("web.env", "assertion"):
        wait_for(lambda: os.path.exists(path_of(agent, name)))
        found, group = mode_of(path_of(agent, name))
        assert found == mode and (group == DAEMON) == (mode == 0o640)


@pytest.mark.parametrize("kind", ["system", "user"])
def test_under_the_filter_of_the_units_too(start, listen, kind):
    here = os.path.dirname(os.path.abspath(__file__))
    unit = os.path.join(os.path.dirname(agents.AGENT), f"../../systemd/{kind}-keystay-agent.service")
    agent = start(agent=listen, grants=web(group=[DAEMON]),
                  launcher=lambda _: [sys.executable, os.path.join(here, "confine.py"), unit])
    wait_for(lambda: os.path.exists(path_of(agent)))
    assert mode_of(path_of(agent)) == (0o640, DAEMON)


def test_the_folder_of_the_unit(start, listen, tmp_path):
    agent = start(agent=listen, grants=web(), env={"RUNTIME_DIRECTORY": f"{tmp_path}:/nonexistent"})
    assert variables(tmp_path / "web.env")["AZURE_CLIENT_ID"] == CLIENT
    assert not os.path.exists(path_of(agent))


def reload(agent, *config):
    agent.write_config(*config)
    assert agent.post("/v1/reload").status == 200


PROFILES = {"main": {}, "other": {"client_id": OTHER_CLIENT}}


def test_a_header_outlives_a_reload_while_its_grant_is_the_same(start, listen):
    agent = start(profiles=PROFILES, agent=listen, grants=web())
    first = variables(path_of(agent))
    os.unlink(path_of(agent))
    reload(agent, PROFILES, listen, web(scope="*"))
    assert variables(path_of(agent)) == first and msi(agent, first).token


def test_a_header_ends_with_what_it_was_for(start, listen):
    agent = start(profiles=PROFILES, agent=listen, grants=web())
    first = variables(path_of(agent))
    reload(agent, PROFILES, listen, web(profile="other"))
    second = variables(path_of(agent))
    assert second["AZURE_CLIENT_ID"] == OTHER_CLIENT and second["IDENTITY_HEADER"] != first["IDENTITY_HEADER"]
    assert msi(agent, first).status == 403
    reload(agent, PROFILES, listen, web(environment="no"))
    assert not os.path.exists(path_of(agent)) and msi(agent, second).status == 403
    reload(agent, PROFILES, listen, web(profile="other"))
    assert msi(agent, second).status == 403


def restart(agent, how=signal.SIGTERM, meanwhile=lambda: None):
    agent.process.send_signal(how)
    agent.process.wait(60)
    meanwhile()
    agent._start()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_header_outlives_the_agent(start, listen, how):
    agent = start(agent=listen, grants=web() | {"other": {"profile": "main", "user": ME, "environment": "yes"}})
    first, other = variables(path_of(agent)), variables(path_of(agent, "other.env"))
    assert first["IDENTITY_HEADER"] != other["IDENTITY_HEADER"]
    for _ in range(2):
        restart(agent, how)
        assert msi(agent, first).token and msi(agent, other).token
        assert variables(path_of(agent)) == first and variables(path_of(agent, "other.env")) == other


CHANGES = {
    "profile": ({}, {"profile": "other"}),
    "group": ({}, {"group": [DAEMON]}),
    "user": ({}, {"user": [ME, "1"]}),
    "address": ({"listen": None}, {}),
}


@pytest.mark.parametrize("listened, granted", CHANGES.values(), ids=CHANGES)
def test_what_it_is_for_changes_while_no_agent_runs(start, listen, listened, granted):
    agent = start(profiles=PROFILES, agent=listen, grants=web())
    first = variables(path_of(agent))
    if listened:
        listened = {"listen": f"127.0.0.1:{free_port()}"}
    restart(agent, meanwhile=lambda: agent.write_config(PROFILES, listen | listened, web(**granted)))
    wait_for(lambda: agent.log().count("serving") == 2)
    second = variables(path_of(agent))
    goes_on = "user" in granted  # who may use it is asked each time
    assert (second["IDENTITY_HEADER"] == first["IDENTITY_HEADER"]) == goes_on
    assert (msi(agent, first).status == 403) != goes_on
    assert msi(agent, second).status == (400 if granted.get("profile") else 200)  # the other client's key is not here


def rewrite(change):
    def tamper(path):
        with open(path, "r+b") as file:
            content = change(file.read())
            file.seek(0)
            file.truncate()
            file.write(content)
    return tamper


def put_in_its_place(make):
    def tamper(path):
        os.rename(path, path + ".kept")
        make(path)
    return tamper


TAMPERED = {
    "readable": lambda path: os.chmod(path, 0o644),
    "writable": lambda path: os.chmod(path, 0o660),
    "another's": lambda path: os.chown(path, STRANGER, -1),
    "with a second name": lambda path: os.link(path, path + ".kept"),
    "a link": put_in_its_place(lambda path: os.symlink(path + ".kept", path)),
    "a link to what never ends": put_in_its_place(lambda path: os.symlink("/dev/zero", path)),
    "a pipe": put_in_its_place(lambda path: os.mkfifo(path, 0o600)),
    "nothing": os.unlink,
    "empty": rewrite(lambda content: b""),
    "cut": rewrite(lambda content: content[:-1]),
    "longer": rewrite(lambda content: content + b"\n"),
    "huge": rewrite(lambda content: content * 100000),
    "garbage": rewrite(lambda content: os.urandom(len(content))),
    "without the first line": rewrite(lambda content: content.split(b"\n", 1)[1]),
    "another grant's": rewrite(lambda content: content.replace(b"grant web", b"grant wes")),
    "a header that is none": rewrite(lambda content: re.sub(rb"(HEADER|SECRET)=[^\n]*", rb"\1=" + b"*" * 43, content)),
    "two headers": rewrite(lambda content: content.replace(b"MSI_SECRET=", b"MSI_SECRET=A")),
    "line ends": rewrite(lambda content: content.replace(b"\n", b"\r\n")),
}


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
def test_a_file_that_is_not_as_it_was_left_gives_nothing(start, listen, tamper):
    agent = start(agent=listen, grants=web())
    path = path_of(agent)
    first = variables(path)
    content = read(path)
    restart(agent, meanwhile=lambda: tamper(path))
    wait_for(lambda: agent.log().count("serving") == 2)
    second = variables(path)
    assert second["IDENTITY_HEADER"] != first["IDENTITY_HEADER"] and len(second["IDENTITY_HEADER"]) == 43
    assert msi(agent, first).status == 403 and msi(agent, second).token
    assert mode_of(path)[0] == 0o600 and stat.S_ISREG(os.lstat(path).st_mode) and os.stat(path).st_uid == os.getuid()
    if os.path.exists(path + ".kept"):
        assert read(path + ".kept") == content


def test_files_of_grants_that_are_gone(start, listen):
    agent = start(agent=listen, grants=web() | {"old": {"profile": "main", "user": ME, "environment": "yes"}})
    old = variables(path_of(agent, "old.env"))
    text = read(path_of(agent, "old.env"))
    others = {"copy.env": text, "mine.env": "A=1\n", ".env": text, "old.env.bak": text,
              "theirs.env": text.replace("grant old", "grant theirs").replace(agent.socket, "/run/other.sock"),
              "wide.env": text.replace("grant old", "grant wide")}

    def meanwhile():
        agent.write_config({"main": {}}, listen, web())
        for name, content in others.items():
            with open(path_of(agent, name), "w", encoding="ascii") as file:
                file.write(content)
            os.chmod(path_of(agent, name), 0o644 if name == "wide.env" else 0o600)
        os.symlink(path_of(agent, "old.env.bak"), path_of(agent, "link.env"))
    restart(agent, meanwhile=meanwhile)
    wait_for(lambda: agent.log().count("serving") == 2)
    assert not os.path.exists(path_of(agent, "old.env")) and "old.env is removed" in agent.log()
    assert {name: read(path_of(agent, name)) for name in others} == others and os.path.islink(path_of(agent, "link.env"))
    assert msi(agent, old).status == 403 and msi(agent, variables(path_of(agent))).token


def test_what_is_left_is_taken_back_at_the_start_only(start, listen):
    """Whoever takes a grant away while the agent runs, and gives it again, has ended its header."""
    agent = start(agent=listen, grants=web())
    first = variables(path_of(agent))
    text = read(path_of(agent))
    reload(agent, {"main": {}}, listen, {})
    assert not os.path.exists(path_of(agent))
    with open(path_of(agent), "w", encoding="ascii", opener=lambda *_: os.open(path_of(agent), 0o101, 0o600)) as file:
        file.write(text)
    reload(agent, {"main": {}}, listen, web())
    assert variables(path_of(agent))["IDENTITY_HEADER"] != first["IDENTITY_HEADER"] and msi(agent, first).status == 403


def test_what_reads_the_file_passes_over_its_first_line(start, listen):
    agent = start(agent=listen, grants=web())
    values = variables(path_of(agent))
    shell = subprocess.run(["sh", "-c", f". {path_of(agent)}; set"], stdout=subprocess.PIPE, timeout=60, check=True)
    for name, value in values.items():
        assert f"{name}='{value}'\n" in shell.stdout.decode()


def test_an_environment_that_cannot_be_written(start, listen):
    agent = start(agent=listen, grants=web())
    wait_for(lambda: os.path.exists(path_of(agent)))
    os.unlink(path_of(agent))
    os.mkdir(path_of(agent))
    reload(agent, {"main": {}}, listen, web())
    assert "cannot write" in agent.log() and agent.token()
    agent.stop()
    again = subprocess.run([agents.AGENT, "--config", agent.config_path], env=environment(agent.keystay.environment()),
                           stderr=subprocess.PIPE, timeout=60, check=False)
    assert again.returncode == 3 and b"web.env: Is a directory" in again.stderr


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_no_environment_where_others_could_put_theirs(start, listen, tmp_path, mode):
    """systemd reads it as root, for a service: whoever writes LD_PRELOAD there is that service."""
    (tmp_path / "open").mkdir()
    os.chmod(tmp_path / "open", mode)
    agent = start(agent=listen)
    agent.write_config({"main": {}}, listen, web())
    agent.stop()
    again = subprocess.run([agents.AGENT, "--config", agent.config_path], stderr=subprocess.PIPE, timeout=60, check=False,
                           env=environment(agent.keystay.environment() | {"RUNTIME_DIRECTORY": str(tmp_path / "open")}))
    assert again.returncode == 3 and b"web.env: others can write to the folder" in again.stderr, again
    assert os.listdir(tmp_path / "open") == []


def test_of_other_files_in_such_a_folder_it_is_said(start, tmp_path):
    (tmp_path / "open").mkdir()
    os.chmod(tmp_path / "open", 0o777)
    agent = start(agent={"socket": str(tmp_path / "open/agent.sock")},
                  grants=federated(assertion_file=str(tmp_path / "open/assertion")))
    wait_for(lambda: "serving" in agent.log())  # which may be after its first answer
    for name in ("agent.sock", "assertion"):
        assert f"/open/{name}: others can write to the folder" in agent.log()


def federated(**changes):
    return {"ci": {"profile": "main", "user": ME, "assertion": "yes", "assertion_file": "{folder}/assertion"} | changes}


def assertion_of(agent):
    path = path_of(agent, "assertion")
    wait_for(lambda: os.path.exists(path))
    return read(path)


def claims(text, folder):
    return signed.read(text, folder.certificate())[1]


def test_an_assertion_in_a_file(start, main_folder):
    agent = start(grants=federated())
    text = assertion_of(agent)
    found = claims(text, main_folder)  # and the signature is good, and nothing comes after it
    assert found["exp"] - found["iat"] == 25 * 60 and found["iss"] == found["sub"] == CLIENT
    assert mode_of(path_of(agent, "assertion"))[0] == 0o600
    agent.stop()
    assert not os.path.exists(path_of(agent, "assertion"))


def test_how_long_it_lives_is_the_profiles_to_say(start, main_folder):
    agent = start(profiles={"main": {"lifetime": "120"}}, grants=federated())
    found = claims(assertion_of(agent), main_folder)
    assert found["exp"] - found["iat"] == 120
    assert "lives for 120 s only" in agent.log()


def test_it_is_whole_whenever_it_is_read(start, main_folder):
    agent = start(grants=federated())
    seen = {assertion_of(agent)}
    for _ in range(3):
        agent.reload()
        wait_for(lambda: read(path_of(agent, "assertion")) not in seen)  # read fails if it is missing for a moment
        seen.add(read(path_of(agent, "assertion")))
    assert len({claims(text, main_folder)["jti"] for text in seen}) == 4


def test_it_comes_when_a_person_unlocks(start, main_folder):
    agent = start(profiles={"main": {"pin_source": "tty"}}, grants=federated())
    wait_for(lambda: "it is locked" in agent.log())
    assert not os.path.exists(path_of(agent, "assertion"))
    assert agent.post("/v1/unlock?profile=main", main_folder.pin).status == 200
    assert claims(assertion_of(agent), main_folder)
    assert agent.log().count("is not renewed") == 1


def test_one_that_cannot_be_replaced_stays(start, main_folder):
    agent = start(grants=federated())
    first = assertion_of(agent)
    reload(agent, {"main": {"key": "pkcs11:object=nothing"}}, None, federated())
    wait_for(lambda: "is not renewed" in agent.log())
    assert read(path_of(agent, "assertion")) == first
    reload(agent, {"main": {}}, None, federated())
    wait_for(lambda: assertion_of(agent) != first)


def test_it_goes_with_its_grant(start):
    agent = start(grants=federated())
    assert assertion_of(agent)
    reload(agent, {"main": {}}, None, {})
    assert not os.path.exists(path_of(agent, "assertion"))


def is_in_memory(path):
    """As the table of mounts has it: that of the longest path counts."""
    with open("/proc/self/mounts", encoding="utf-8") as file:
        mounts = [line.split()[1:3] for line in file]
    best = max((mount for mount in mounts if os.path.join(path, "").startswith(os.path.join(mount[0], ""))),
               key=lambda mount: len(mount[0]), default=("/", ""))  # in a chroot the root may be none of its mounts
    return best[1] in ("tmpfs", "ramfs")


def test_one_on_a_disk_is_warned_of(start):
    agent = start(grants=federated())
    wait_for(lambda: "serving" in agent.log())
    assert ("is not on a tmpfs" in agent.log()) == (not is_in_memory(agent.folder))
