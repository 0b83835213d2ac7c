# SPDX-License-Identifier: Apache-2.0
"""Where the agent listens: what a stranger cannot hold up, and what over TCP is nobody's of this machine."""

import fcntl
import os
import socket
import stat
import subprocess

import pytest

import agent as agents

WEB = {"listen": "127.0.0.1:0", "imds": "yes"}


def test_who_locks_the_folder_does_not_keep_the_agent_from_starting(start, tmp_path):
    """Whoever may read a folder may lock it: the agent's is open to all, and no reason to wait."""
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    stranger = os.open(folder, os.O_RDONLY)
    fcntl.flock(stranger, fcntl.LOCK_EX)
    agent = start(agent={"socket": str(folder / "agent.sock")})
    os.close(stranger)
    assert agent.token()
    assert stat.S_IMODE(os.stat(agent.socket + ".lock").st_mode) == 0o600


@pytest.mark.parametrize("make", [lambda path: os.symlink("/etc/passwd", path), os.mkdir],
                         ids=["symlink", "folder"])
def test_what_else_lies_at_the_lock_s_place_is_not_used(start, tmp_path, make):
    agent = start()
    place = str(tmp_path / "other.sock")
    make(place + ".lock")
    with open(agent.config_path, encoding="utf-8") as file:
        text = file.read().replace(agent.socket, place)
    config = tmp_path / "other.conf"
    config.write_text(text)
    result = subprocess.run([agents.AGENT, "--config", config], env=agent.environment(), capture_output=True,
                            text=True, timeout=60, check=False)
    assert result.returncode == 3 and "other.sock.lock" in result.stderr, result
    assert not os.path.exists(place)


def test_a_port_that_somebody_else_has_is_worth_another_try(start, tmp_path):
    """Any user can have it before the agent has. Status 3 would be the end of the service, until somebody looks."""
    agent = start()
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        with open(agent.config_path, encoding="utf-8") as file:
            text = file.read().replace(agent.socket, f"{tmp_path}/other.sock\nlisten = 127.0.0.1:{squatter.getsockname()[1]}")
        config = tmp_path / "other.conf"
        config.write_text(text)
        result = subprocess.run([agents.AGENT, "--config", config], env=agent.environment(), capture_output=True,
                                text=True, timeout=60, check=False)
    assert result.returncode == 7 and "another program has it" in result.stderr, result


def say(agent, text):
    """The answer to these very bytes."""
    name, port = agent.address()
    with socket.create_connection((name, int(port)), timeout=60) as connection:
        connection.sendall(text.encode("latin-1").replace(b"\n", b"\r\n"))
        answer = b""
        while part := connection.recv(4096):
            answer += part
    return answer


@pytest.fixture(name="agent")
def _agent(start):
    return start(agent=WEB)


PATH = "/metadata/identity/oauth2/token?resource=https://graph.microsoft.com"
GOOD = f"GET {PATH} HTTP/1.1\nHost: localhost\nMetadata: true\nConnection: close\n\n"


def is_token(answer):
    return answer.startswith(b"HTTP/1.1 200") and b"access_token" in answer


@pytest.mark.parametrize("old, new", [
    ("Host: localhost\n", ""),
    ("Host: localhost\n", "Host: \n"),
    ("Host: localhost\n", "Host: localhost.\n"),
    ("Host: localhost\n", "Host: localhost:80@evil.example\n"),
    ("Host: localhost\n", "Host: localhost.evil.example\n"),
    ("Host: localhost\n", "Host: evil.example\n"),
    ("Host: localhost\n", "Host: evil.example\nHost: localhost\n"),
    ("Host: localhost\n", "Host: localhost\nHost: evil.example\n"),
    ("Host: localhost\n", "Host: evil.example\n localhost\n"),
    ("Host: localhost\n", "Host: localhost\n .evil.example\n"),
    ("Host: localhost\n", "Host : localhost\n"),
    ("Host: localhost\n", "Host: [::ffff:127.0.0.1]\n"),
    ("Host: localhost\n", "Host: 127.1\n"),
    ("Host: localhost\n", "Host: 127.0.0.1.evil.example\n"),
    ("Host: localhost\n", "Host: localhost\nOrigin: null\n"),
    ("Host: localhost\n", "Host: localhost\nVia: 1.1 proxy\n"),
    ("Host: localhost\n", "Host: localhost\nsec-FETCH-site: same-origin\n"),
    ("HTTP/1.1\nHost: localhost\n", "HTTP/1.0\n"),
    ("GET /", "GET http://evil.example/"),
    ("GET /", "GET http://localhost/"),
    ("GET /", "POST /"),
    ("GET /", "OPTIONS /"),
    ("GET /metadata", "GET /./metadata"),
    ("Metadata: true", "Metadata: true\nMetadata: true"),
    ("Metadata: true", "X-Metadata: true"),
], ids=lambda value: repr(value)[1:-1].strip() or "none")
def test_a_request_that_is_not_of_this_machine(agent, old, new):
    assert old in GOOD and is_token(say(agent, GOOD))
    answer = say(agent, GOOD.replace(old, new))
    assert not is_token(answer) and b"eyJ" not in answer, answer


@pytest.mark.parametrize("path", [
    "/v1/token?profile=main", "/v1/%74oken?profile=main", "/v1/inject?profile=main", "/v1/status",
    "/v1/grant?profile=main", "/MSI/../v1/token?profile=main", "http://localhost/v1/token?profile=main",
])
def test_the_agent_s_own_paths_are_not_there_over_tcp(agent, path):
    for method in ("GET", "POST"):
        answer = say(agent, GOOD.replace(f"GET {PATH}", f"{method} {path}"))
        assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 403")) and b"eyJ" not in answer, answer
