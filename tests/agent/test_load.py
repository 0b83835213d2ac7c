# SPDX-License-Identifier: Apache-2.0
"""Many callers, hostile callers, callers of other users: all that may is served, and nothing is lost."""

import concurrent.futures
import contextlib
import json
import random
import socket
import subprocess

import agent as agents
from cli import RESOURCE
from endure import OTHER, STRANGER, as_user, calm, public_folder, raw, raw_tcp, wait_for

SECONDS = 25  # about, for parts that take equally long
MSI = f"/MSI/token?api-version=2019-08-01&resource={RESOURCE}"
MANY = {"max_connections_per_user": 1000}
TOKEN = b"GET /v1/token?profile=main HTTP/1.1\r\nHost: x\r\n\r\n"


def test_ten_thousand_requests_one_after_the_other(start):
    agent = start()
    first = agent.token()
    with calm(agent):
        for _ in range(5):
            connection = agent.connection()
            assert {agents.ask(connection, "/v1/token?profile=main").token for _ in range(1000)} == {first}
            connection.close()
        assert {agent.token() for _ in range(5000)} == {first}  # a connection each


def test_five_hundred_clients_at_once(start):
    agent = start(agent=MANY | {"listen": "127.0.0.1:0"})
    first = agent.token()

    def ask(_):
        connection = agent.connection()
        tokens = {agents.ask(connection, "/v1/token?profile=main").token for _ in range(4)}
        connection.close()
        return tokens
    with concurrent.futures.ThreadPoolExecutor(500) as pool:
        set().union(*pool.map(ask, range(500)))  # the agent's threads and buffers are there afterwards
        with calm(agent):
            assert set().union(*pool.map(ask, range(500))) == {first}


def test_an_hour_of_requests_with_reloads(start):
    agent = start()
    first = agent.token()

    def ask_many(n):
        connection = agent.connection()
        for _ in range(n):
            assert agents.ask(connection, "/v1/token?profile=main").token == first
        connection.close()

    def round_of(n_reloads):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            done = [pool.submit(ask_many, 5000 // 4) for _ in range(4)]
            for i in range(n_reloads):
                agent.write_config({"main": {}} | ({f"other{i}": {}} if i % 2 else {}))
                assert agent.post("/v1/reload").status == 200
            for one in done:
                one.result()
    round_of(5)
    with calm(agent):
        for _ in range(5):
            round_of(5)
    assert agent.token() == first and agent.status()["requests"]["failed"] == 0


def test_peers_that_close_at_once(start):
    agent = start(agent=MANY | {"listen": "127.0.0.1:0"})
    first = agent.token()
    with calm(agent):
        for i in range(3000):
            connection = raw(agent)
            if i % 3 == 1:
                connection.sendall(TOKEN[:i % len(TOKEN)])
            elif i % 3 == 2:
                connection.sendall(TOKEN)
            connection.close()
        for _ in range(500):
            with contextlib.suppress(OSError):
                raw_tcp(agent).close()
        assert agent.token() == first


def test_peers_that_close_while_they_wait(start):
    agent = start(shim="C_Sign:sleep=500", agent=MANY)
    agent.token()
    agent.post("/v1/forget")
    with calm(agent):
        for _ in range(100):
            connection = raw(agent)
            connection.sendall(TOKEN)
            connection.close()
        assert agent.token()
    assert agent.calls().count("C_Sign") == 2


def garbage(chance):
    """Bytes, lines, and requests that are nearly right."""
    good = bytearray(b"POST /v1/unlock?profile=main HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345" + TOKEN)
    kind = chance.randrange(5)
    if kind == 0:
        return chance.randbytes(chance.randrange(1, 4000))
    if kind == 1:
        return b"GET /" + b"A" * chance.randrange(100000) + b" HTTP/1.1\r\n\r\n"
    if kind == 2:
        return b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * chance.randrange(5000) + b"\r\n"
    if kind == 3:
        return b"POST /v1/unlock HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chance.choice(
            [b"ffffffffffffffffffff\r\n", b"-1\r\n", b"5\r\nabc", b"g\r\n", b"0\r\n" + b"T: x\r\n" * 5000])
    for _ in range(chance.randrange(1, 6)):
        good[chance.randrange(len(good))] = chance.randrange(256)
    return bytes(good)


def test_garbage(start):
    agent = start(agent=MANY | {"listen": "127.0.0.1:0"}, profiles={"main": {}, "other": {"pin_source": "tty"}})
    first = agent.token()
    chance = random.Random(7)
    with calm(agent):
        for i in range(1000):
            connection = raw(agent) if i % 4 else raw_tcp(agent)
            with contextlib.suppress(OSError):
                connection.sendall(garbage(chance))
                connection.settimeout(0.02)
                connection.recv(65536)
            connection.close()
        assert agent.token() == first


def served(connection):
    try:
        connection.sendall(TOKEN)
        return b"200 OK" in connection.recv(65536)
    except OSError:
        return False


def test_one_user_may_not_have_all_connections(start):
    with public_folder() as folder:
        agent = start(agent={"socket": f"{folder}/agent.sock", "max_connections_per_user": 20},
                      grants={"other": {"profile": "main", "user": OTHER}})
        first = agent.token()
        own = agent.connection()
        wait_for(lambda: agents.ask(own, "/v1/status").json["connections"] == 1)
        held = [raw(agent) for _ in range(60)]
        assert sum(served(connection) for connection in held) == 19
        status, body = as_user(OTHER, agent.socket, "/v1/token?profile=main")
        assert status == 200 and first in body
        for connection in [own, *held]:
            connection.close()
        assert "has 20 connections already" in agent.log()
        wait_for(lambda: served(raw(agent)))


# What is the agent's own user's, and root's.
STEERED = ("reload", "forget", "forget?profile=main", "lock", "lock?profile=main", "pin?profile=main", "unlock?profile=main")


def test_strangers_are_refused_at_both_doors(start):
    with public_folder() as folder:
        agent = start(agent={"socket": f"{folder}/agent.sock", "listen": "127.0.0.1:0", "imds": "yes"})
        header = {"X-IDENTITY-HEADER": agent.post("/v1/grant?profile=main").json["identity_header"]}
        port = agent.address()[1]
        for uid, no, told in ((STRANGER, "closed", f"a connection was refused: the caller is nobody (uid {STRANGER})"),
                              (OTHER, 403, f"refused: a token of profile main for user {OTHER}")):
            for path in ("/v1/token?profile=main", "/v1/assertion?profile=main", "/v1/inject?profile=main",
                         "/v1/status", "/v1/token?profile=nowhere"):
                status, body = as_user(uid, agent.socket, path)
                assert status == no and "eyJ" not in body, (uid, path, body)
            for path in (*STEERED, "grant?profile=main"):
                assert as_user(uid, agent.socket, f"/v1/{path}", method="POST")[0] == no, (uid, path)
            for path, headers in ((MSI, header), (MSI, {"X-IDENTITY-HEADER": "A" * 43}),
                                  (f"/metadata/identity/oauth2/token?resource={RESOURCE}", {"Metadata": "true"})):
                status, body = as_user(uid, port, path, headers)
                assert status == no and "eyJ" not in body, (uid, path, body)
            assert told in agent.log()
        assert agent.status()["requests"]["served_new"] == 0


def test_whom_a_grant_names_gets_that_and_no_more(start):
    vault = "https://vault.example/.default"
    with public_folder() as folder:
        agent = start(
            profiles={"main": {}, "own": {}}, agent={"socket": f"{folder}/agent.sock"},
            grants={"other": {"profile": "main", "user": OTHER, "scope": vault}})
        first = agent.token()
        wanted = {"profile=main": 200, f"profile=main&scope={vault}": 200, f"profile=main&resource={RESOURCE}": 200,
                  "profile=own": 403, "profile=nowhere": 403, "profile=main&scope=https://else.example/.default": 403}
        answers = {query: as_user(OTHER, agent.socket, f"/v1/token?{query}")[0] for query in wanted}
        assert answers == wanted
        for path in ("/v1/assertion?profile=main", "/v1/status"):
            assert as_user(OTHER, agent.socket, path)[0] == 403
        for path in (*STEERED, "grant?profile=own"):
            assert as_user(OTHER, agent.socket, f"/v1/{path}", method="POST")[0] == 403, path
        assert as_user(OTHER, agent.socket, "/v1/grant?profile=main", method="POST")[0] == 200
        assert agent.token() == first and agent.profile()["state"] == "ready"
        assert as_user(STRANGER, agent.socket, "/v1/token?profile=main", more_groups=[OTHER])[0] == "closed"


def test_the_header_of_an_ended_process_is_worth_nothing(start):
    agent = start(agent={"listen": "127.0.0.1:0"})
    script = ("import http.client, socket, sys\n"
              "connection = http.client.HTTPConnection('x')\nconnection.sock = socket.socket(socket.AF_UNIX)\n"
              f"connection.sock.connect({agent.socket!r})\n"
              "connection.request('POST', '/v1/grant?profile=main')\n"
              "print(connection.getresponse().read().decode(), flush=True)\nsys.stdin.read()\n")
    process = subprocess.Popen(["/usr/bin/python3", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    header = {"X-IDENTITY-HEADER": json.loads(process.stdout.readline())["identity_header"]}
    assert agent.tcp(MSI, header).status == 200
    process.communicate()
    assert agent.tcp(MSI, header).status == 403
