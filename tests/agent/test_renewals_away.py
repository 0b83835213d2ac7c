# SPDX-License-Identifier: Apache-2.0
"""Tokens are due, and the server that would renew them is away."""

import time

from endure import wait_for
from short_lived import renewals, serve  # noqa: F401

N_SCOPES = 30
SECONDS = 65  # about, for parts that take equally long


def test_a_server_that_is_away_when_a_token_is_due(start, serve):  # noqa: F811
    server = serve(40)
    agent = start(profiles={"main": server.settings(timeout=2)})
    first = agent.token()
    server.real.pause()
    wait_for(lambda: renewals(agent) == (0, 1), 40)
    assert agent.token() == first
    assert agent.log().count("no token ahead of need") == 1
    assert 'keystay_renewals_total{profile="main",result="failed"} 1\n' in agent.get("/metrics").body.decode()
    server.real.go_on()  # at once: one that begins anew may not be there before the token has ended
    wait_for(lambda: renewals(agent)[0] == 1)  # nobody has asked for a token
    assert agent.token() != first and server.count() == 2


def test_a_server_that_is_down_is_not_stormed(start, serve):  # noqa: F811
    server = serve(44)
    agent = start(profiles={"main": server.settings()})
    tokens = {agent.token(scope=f"https://r{i}.example/.default") for i in range(N_SCOPES)}
    assert len(tokens) == N_SCOPES
    server.real.script([{"status": 503, "repeat": 10000}])
    wait_for(lambda: renewals(agent)[1] > 0, 40)
    time.sleep(10)
    done, failed = renewals(agent)
    # Six at once, each with four attempts; then one after a pause of a second, of two, of four.
    assert done == 0 and failed <= 10 and server.count(503) <= 4 * 10, (failed, server.count(503))
    assert agent.log().count("no token ahead of need") == 1
