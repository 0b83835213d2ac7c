# SPDX-License-Identifier: Apache-2.0
"""Tokens are renewed before anybody asks: which, and how often. Lives are as long as a busy machine needs between the moment
that a token is due and its end."""

import time

import agent as agents
import cli
from endure import wait_for
from short_lived import renewals, serve  # noqa: F401

SECONDS = 75  # about, for parts that take equally long


def test_what_is_used_is_renewed_before_anybody_asks_and_what_is_not_once(start, serve):  # noqa: F811
    server = serve(16)
    agent = start(profiles={"main": server.settings()})
    began = time.monotonic()
    first = agent.token()
    wait_for(lambda: server.count() == 2)
    assert time.monotonic() - began >= 7
    wait_for(lambda: renewals(agent) == (1, 0))
    second = agent.token()
    assert second != first and agent.token() == second and server.count() == 2
    requests = agent.status()["requests"]
    assert (requests["served_new"], requests["served_held"]) == (1, 2)
    metrics = agent.get("/metrics").body.decode()
    assert 'keystay_renewals_total{profile="main",result="done"} 1\n' in metrics
    assert 'keystay_renewals_total{profile="main",result="failed"} 0\n' in metrics
    assert "\n  renewed ahead of need: 1, failed: 0\n" in cli.run("agent", "status", env=agents.caller(agent)).out

    wait_for(lambda: server.count() == 3)  # the second one was used
    time.sleep(17)  # the third one was not, and it has ended
    assert server.count() == 3 and renewals(agent) == (2, 0)
    assert agent.token() not in (first, second) and server.count() == 4


def test_nothing_is_renewed_while_it_is_locked(start, serve, main_folder):  # noqa: F811
    server = serve(30)
    agent = start(profiles={"main": server.settings(pin_source="tty")}, shim="")
    unlock = ("/v1/unlock?profile=main", main_folder.pin.encode())
    assert agent.post(*unlock).status == 200
    began = time.monotonic()
    first = agent.token()
    assert agent.post("/v1/lock?profile=main").status == 200
    time.sleep(max(0, 19 - (time.monotonic() - began)))  # it has been due since the 18th second at the latest
    assert agent.token() == first and server.count() == 1 and renewals(agent) == (0, 0)
    assert agent.calls().count("C_Login") == 1
    assert agent.post(*unlock).status == 200
    wait_for(lambda: renewals(agent) == (1, 0), 10)
    assert agent.token() != first and agent.calls().count("C_Login") == 2


def test_a_pin_that_is_wrong_is_not_tried_for_a_renewal(start, serve, main_folder):  # noqa: F811
    server = serve(24)
    path = main_folder.write("renewals-pin", main_folder.pin)
    agent = start(profiles={"main": server.settings(pin_source=f"file:{path}")}, shim="")
    first = agent.token()
    main_folder.write("renewals-pin", "98765432")
    assert agent.post("/v1/reload").status == 200  # what is signed next opens the key anew
    wait_for(lambda: agent.profile()["state"] == "pin wrong")
    time.sleep(3)
    assert agent.token() == first and agent.calls().count("C_Login") == 2 and renewals(agent) == (0, 1)
