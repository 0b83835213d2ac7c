# SPDX-License-Identifier: Apache-2.0
"""Tokens are renewed before anybody asks: which, how often, and what becomes of it when something is away."""

import time

import pytest

import agent as agents
import cli
from cli import DOMAIN, TENANT
from endure import wait_for
from harness import AuthServer

N_SCOPES = 30


class Server:
    """One whose tokens live shortly, and which may be away for a while."""

    def __init__(self, folder, clients, life_s):
        self._arguments, self._life_s, self._address = (folder, [f"{TENANT}={DOMAIN}"], clients), life_s, "127.0.0.1:0"
        self.begin()

    def begin(self):
        self.real = AuthServer(*self._arguments,
                               options=["--token-lifetime", str(self._life_s), "--listen", self._address])
        self._address = f"127.0.0.1:{self.real.port}"

    def settings(self, **changes):
        """Of a profile whose tokens are fresh until a second before they end."""
        return {"authority": self.real.url, "cacert": self.real.cacert, "min_valid": 1, "timeout": 5} | changes

    def count(self, status=200):
        return len([entry for entry in self.real.log() if entry["outcome"]["status"] == status])


@pytest.fixture
def serve(tmp_path, registered):
    """serve(life_s): a server whose tokens live so long. They are due when half of that is over, and a tenth more."""
    servers = []

    def begin(life_s):
        servers.append(Server(tmp_path, registered, life_s))
        return servers[-1]
    yield begin
    for server in servers:
        server.real.stop()


def renewals(agent):
    found = agent.profile()["renewals"]
    return found["done"], found["failed"]


def test_what_is_used_is_renewed_before_anybody_asks_and_what_is_not_once(start, serve):
    server = serve(12)
    agent = start(profiles={"main": server.settings()})
    began = time.monotonic()
    first = agent.token()
    wait_for(lambda: server.count() == 2, 10)
    assert time.monotonic() - began >= 5
    wait_for(lambda: renewals(agent) == (1, 0))
    second = agent.token()
    assert second != first and agent.token() == second and server.count() == 2
    requests = agent.status()["requests"]
    assert (requests["served_new"], requests["served_held"]) == (1, 2)
    metrics = agent.get("/metrics").body.decode()
    assert 'keystay_renewals_total{profile="main",result="done"} 1\n' in metrics
    assert 'keystay_renewals_total{profile="main",result="failed"} 0\n' in metrics
    assert "\n  renewed ahead of need: 1, failed: 0\n" in cli.run("agent", "status", env=agents.caller(agent)).out

    wait_for(lambda: server.count() == 3, 10)  # the second one was used
    time.sleep(13)  # the third one was not, and it has ended
    assert server.count() == 3 and renewals(agent) == (2, 0)
    assert agent.token() not in (first, second) and server.count() == 4


def test_a_server_that_is_away_when_a_token_is_due(start, serve):
    server = serve(30)
    agent = start(profiles={"main": server.settings(timeout=2)})
    first = agent.token()
    server.real.stop()
    wait_for(lambda: renewals(agent) == (0, 1), 25)
    assert agent.token() == first
    assert agent.log().count("no token ahead of need") == 1
    assert 'keystay_renewals_total{profile="main",result="failed"} 1\n' in agent.get("/metrics").body.decode()
    server.begin()
    wait_for(lambda: renewals(agent)[0] == 1, 10)  # nobody has asked for a token
    assert agent.token() != first and server.count() == 1


def test_a_server_that_is_down_is_not_stormed(start, serve):
    server = serve(30)
    agent = start(profiles={"main": server.settings()})
    began = time.monotonic()
    tokens = {agent.token(scope=f"https://r{i}.example/.default") for i in range(N_SCOPES)}
    assert len(tokens) == N_SCOPES
    server.real.script([{"status": 503, "repeat": 10000}])
    wait_for(lambda: renewals(agent)[1] > 0, 28)
    time.sleep(max(0, 28 - (time.monotonic() - began)))
    done, failed = renewals(agent)
    # Six at once, each with four attempts; then one after a pause of a second, of two, of four.
    assert done == 0 and failed <= 10 and server.count(503) <= 4 * 10, (failed, server.count(503))
    assert agent.log().count("no token ahead of need") == 1


def test_nothing_is_renewed_while_it_is_locked(start, serve, main_folder):
    server = serve(16)
    agent = start(profiles={"main": server.settings(pin_source="tty")}, shim="")
    unlock = ("/v1/unlock?profile=main", main_folder.pin.encode())
    assert agent.post(*unlock).status == 200
    first = agent.token()
    assert agent.post("/v1/lock?profile=main").status == 200
    time.sleep(11)
    assert agent.token() == first and server.count() == 1 and renewals(agent) == (0, 0)
    assert agent.calls().count("C_Login") == 1
    assert agent.post(*unlock).status == 200
    wait_for(lambda: renewals(agent) == (1, 0), 4)
    assert agent.token() != first and agent.calls().count("C_Login") == 2


def test_a_pin_that_is_wrong_is_not_tried_for_a_renewal(start, serve, main_folder):
    server = serve(16)
    path = main_folder.write("renewals-pin", main_folder.pin)
    agent = start(profiles={"main": server.settings(pin_source=f"file:{path}")}, shim="")
    first = agent.token()
    main_folder.write("renewals-pin", "98765432")
    assert agent.post("/v1/reload").status == 200  # what is signed next opens the key anew
    wait_for(lambda: agent.profile()["state"] == "pin wrong", 12)
    time.sleep(3)
    assert agent.token() == first and agent.calls().count("C_Login") == 2 and renewals(agent) == (0, 1)
