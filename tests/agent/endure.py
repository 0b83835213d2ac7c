# SPDX-License-Identifier: Apache-2.0
"""What an agent has to endure, and whether it has: descriptors and memory before and after, callers of other users."""

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import time

import agent as agents

STRANGER, OTHER = 65534, 4321  # whom the system shows for nobody, and an ordinary user

RSS_GROWTH_KB = 768  # after a warm-up: what the allocator keeps for threads that were there once
CLIENT = """
import http.client, json, socket, sys
where, method, path, headers = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
connection = http.client.HTTPConnection("127.0.0.1", int(where) if where.isdigit() else 80, timeout=60)
if not where.isdigit():
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(where)
try:
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    print(json.dumps([response.status, response.read().decode()]))
except (ConnectionError, http.client.BadStatusLine):
    print(json.dumps(["closed", ""]))
"""


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def descriptors(agent):
    return len(os.listdir(f"/proc/{agent.process.pid}/fd"))


def rss_anon_kb(agent):
    with open(f"/proc/{agent.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))


def is_under_sanitizer():
    """Which keeps what was freed."""
    with open(agents.AGENT, "rb") as file:
        program = file.read()
    return b"__asan_init" in program or b"__tsan_init" in program


@contextlib.contextmanager
def calm(agent):
    """Whatever happens within leaves the agent as it was: no descriptor, no connection, no memory is lost."""
    wait_for(lambda: agent.status()["connections"] == 1)
    before, before_kb = descriptors(agent), rss_anon_kb(agent)
    yield
    wait_for(lambda: agent.status()["connections"] == 1)
    wait_for(lambda: descriptors(agent) <= before)
    if not is_under_sanitizer():
        assert rss_anon_kb(agent) - before_kb <= RSS_GROWTH_KB


@contextlib.contextmanager
def public_folder():
    """One that every user can look into: pytest's own are for the user of the tests."""
    with tempfile.TemporaryDirectory(prefix="agent") as path:
        os.chmod(path, 0o755)
        yield path


def as_user(uid, where, path, headers=None, more_groups=(), method="GET"):
    """What a process of another user is answered: (status, body), or ("closed", ""). where is a socket's path or
    a port."""
    command = ["/usr/bin/python3", "-c", CLIENT, str(where), method, path, json.dumps(headers or {})]
    done = subprocess.run(command, user=uid, group=uid, extra_groups=more_groups, cwd="/", env={},
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done
    status, body = json.loads(done.stdout)
    return status, body


def raw(agent):
    """A bare connection to the agent's socket."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(agent.socket)  # which waits for a place, unless it has a time limit
    connection.settimeout(60)
    return connection


def raw_tcp(agent):
    host, port = agent.address()
    return socket.create_connection((host, int(port)), timeout=60)
