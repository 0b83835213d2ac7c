# SPDX-License-Identifier: Apache-2.0
"""A user who wants very much, of a server that is slow: others are served as if they were alone with it. It is counted what
is served meanwhile: seconds would be the machine's."""

import contextlib
import subprocess

from cli import SCOPE
from endure import OTHER, as_user, public_folder, wait_for

SECONDS = 13  # about, for parts that take equally long
DELAY_S, N_WISHES = 1, 200
THIRD = OTHER + 1
GREEDY = """
import socket, sys
where, n, last = sys.argv[1], int(sys.argv[2]), sys.argv[3]
connections = []
for i in range(n):
    query = last if i == n - 1 else f"scope=https://vault{i}.example/.default"
    connections.append(socket.socket(socket.AF_UNIX))
    connections[-1].connect(where)
    connections[-1].sendall(f"GET /v1/token?profile=main&{query} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
print("asked", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def greedy_user(agent, last):
    """Wants 200 different tokens at once; the last is for this query."""
    process = subprocess.Popen(["/usr/bin/python3", "-c", GREEDY, agent.socket, str(N_WISHES), last], user=OTHER,
                               group=OTHER, extra_groups=[], cwd="/", env={}, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "asked\n"
    wait_for(lambda: agent.status()["connections"] == N_WISHES + 1)
    yield
    process.communicate()
    assert process.returncode == 0


def served(agent):
    return agent.status()["requests"]["served_new"]


def served_before(uid, agent, query):
    """How many others were served from before this user's process began to when it had its token."""
    before = served(agent)
    status, body = as_user(uid, agent.socket, f"/v1/token?profile=main{query}")
    assert status == 200, body
    return served(agent) - before - 1


def test_one_users_many_wishes_do_not_keep_another_waiting(start, server):
    with public_folder() as folder:
        grants = {name: {"profile": "main", "user": uid, "scope": "*"}
                  for name, uid in (("greedy", OTHER), ("modest", THIRD))}
        agent = start(agent={"socket": f"{folder}/agent.sock"}, grants=grants)
        agent.token(scope="https://warm.example/.default")
        server.script([{"delay_ms": 1000 * DELAY_S, "repeat": 10 * N_WISHES}])
        with greedy_user(agent, f"scope={SCOPE}"):
            counts = [served_before(THIRD, agent, "&scope=https://else.example/.default"),
                      served_before(THIRD, agent, f"&scope={SCOPE}"),  # what the greedy user wants too, at the end
                      served_before(0, agent, "&scope=https://own.example/.default")]
        # First come, first served all others would be before the first; six a second are, while a process begins.
        assert max(counts) < N_WISHES / 4, counts
