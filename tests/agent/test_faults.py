# SPDX-License-Identifier: Apache-2.0
"""What lies behind the agent goes wrong: its processes, the module, the server, the configuration, the end."""

import concurrent.futures
import os
import signal
import time

import pytest

import agent as agents
from endure import calm, wait_for
from short_lived import serve  # noqa: F401

SECONDS = 75  # about, for parts that take equally long
VAULT = "https://vault.example/.default"


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def asked(agent, n):
    """Connections on which a token was asked for; the agent has let in all of them."""
    connections = [agent.connection() for _ in range(n)]
    for connection in connections:
        connection.request("GET", "/v1/token?profile=main")
    wait_for(lambda: agent.status()["connections"] > n)
    return connections


def test_a_child_killed_in_the_middle_of_a_signature(start):
    agent = start(shim="C_Sign:sleep=700")
    for _ in range(3):
        agent.post("/v1/forget")
        before = agent.calls().count("C_Sign")
        (connection,) = asked(agent, 1)
        wait_for(lambda n=before: agent.calls().count("C_Sign") > n)
        os.kill(agent.children()[0], signal.SIGKILL)
        answer = agents.answer(connection)
        assert answer.status in (200, 503), answer
        assert answer.status == 200 or answer.json["status"] == "module", answer
    assert agent.token() and agent.profile()["state"] == "ready"


def test_a_child_killed_while_it_has_nothing_to_do(start):
    agent = start()
    agent.token()
    with calm(agent):
        for _ in range(3):
            os.kill(agent.children()[0], signal.SIGKILL)
            agent.post("/v1/forget")
            assert agent.token()


@pytest.mark.parametrize("call", ["C_Initialize", "C_Login", "C_SignInit", "C_Sign"])
def test_a_module_that_sleeps_for_ever(start, main_folder, call):
    """Of both profiles the PKCS#11 token is the same, so that only one of them logs in at a time: the other one has."""
    agent = start(profiles={"main": {"timeout": 3}, "other": {"module": main_folder.module}},
                  agent={"request_timeout": 1}, shim=f"{call}:hang")
    wait_for(lambda: agent.get("/v1/token?profile=other").status == 200)  # a second is little for the first one
    other = agent.token("other")
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(agent.get, f"/v1/token?profile=main&min_valid={i % 10}") for i in range(20)]
        assert agent.token("other") == other
        began = time.monotonic()
        for path in ["/v1/forget?profile=other"] + (["/v1/reload"] if call != "C_Login" else []):
            assert agent.post(path).status == 200  # nobody waits for what sleeps
        assert time.monotonic() - began < 2
        wait_for(lambda: agent.get("/v1/token?profile=other").status == 200)
        assert agent.token("other") != other
        for answer in (future.result() for future in answers):
            assert answer.status == 504 and answer.json["status"] == "timeout", answer
        assert agent.post("/v1/lock?profile=main").status in (200, 504)  # an assertion may be about to be signed
    assert agent.profile()["state"] == "locked"


def test_a_token_that_is_not_there_ends_no_login_of_others(start):
    """For it alone the module would be begun anew: some do not see a token that comes later."""
    agent = start(profiles={"main": {}, "absent": {"key": "pkcs11:token=nobody"}}, shim="")
    token = agent.token()
    assert agent.get("/v1/token?profile=absent").json["status"] == "token_not_found"
    assert agent.post("/v1/forget?profile=main").status == 200 and agent.token() != token
    assert [agent.calls().count(call) for call in ("C_Initialize", "C_Login", "C_Finalize")] == [1, 1, 0]


def test_the_end_while_a_module_sleeps_for_ever(start):
    agent = start(profiles={"main": {"timeout": 60}}, shim="C_Sign:hang")
    connections = asked(agent, 8)
    wait_for(lambda: "C_Sign" in agent.calls())
    children = agent.children()
    agent.process.send_signal(signal.SIGTERM)
    for answer in map(agents.answer, connections):
        assert answer.status == 503 and "ending" in answer.json["message"], answer
    assert agent.process.wait(30) == 0
    wait_for(lambda: not any(map(is_alive, children)))


def test_whoever_waits_at_the_end_is_answered(start):
    agent = start(shim="C_Sign:sleep=3000", agent={"max_connections_per_user": 400})
    connections = asked(agent, 100)
    wait_for(lambda: agent.calls().count("C_Sign") == 1)
    agent.process.send_signal(signal.SIGTERM)
    statuses = {agents.answer(connection).status for connection in connections}
    assert statuses <= {200, 503} and 503 in statuses
    assert agent.process.wait(30) == 0


@pytest.mark.parametrize("shim", ["C_Sign:hang", "C_Initialize:hang", ""], ids=["signing", "beginning", "idle"])
def test_the_processes_go_with_the_agent(start, shim):
    agent = start(profiles={"main": {"timeout": 60}}, shim=shim)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(agent.get, "/v1/token?profile=main")
        wait_for(lambda: agent.children() and (shim or answer.done()))
        time.sleep(0.3)
        children = agent.children()
        agent.process.kill()
        agent.process.wait()
        assert shim == "" or answer.exception() is not None
    wait_for(lambda: not any(map(is_alive, children)))
    agent._start()  # so that its end can be judged
    os.truncate(agent._env["SHIM_COUNT"], 0)


def test_reload_under_load(start):
    agent = start(agent={"max_connections_per_user": 200})
    first = agent.token()
    is_over = False

    def ask_and_ask():
        connection, n = agent.connection(), 0
        while not is_over:
            assert agents.ask(connection, "/v1/token?profile=main").token == first
            n += 1
        return n
    with calm(agent), concurrent.futures.ThreadPoolExecutor(8) as pool:
        counts = [pool.submit(ask_and_ask) for _ in range(8)]
        try:
            for i in range(20):
                agent.write_config({"main": {}} | ({"other": {}} if i % 2 else {}), {"max_connections_per_user": 200})
                agent.reload()
                time.sleep(0.1)
                wait_for(lambda n=i + 1: agent.log().count("was read anew") == n)  # two signals at once are one
        finally:
            is_over = True
        assert min(future.result() for future in counts) > 20
    assert agent.log().count("was read anew") == 20


def test_reload_while_tokens_are_got(start):
    """Each token is signed for, with signers that are opened anew all the time. A profile for each who asks: the
    server takes no assertion twice, and those of one profile share theirs."""
    agent = start(profiles={f"p{i}": {} for i in range(4)}, agent={"max_connections_per_user": 200})

    def get_all(name):
        paths = [f"/v1/token?profile={name}&scope=https://r{i}.example/.default" for i in range(30)]
        return [answer for answer in map(agent.get, paths) if answer.status != 200]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        failed = [pool.submit(get_all, f"p{i}") for i in range(4)]
        while not all(future.done() for future in failed):
            served = agent.status()["requests"]["served_new"]
            agent.reload()
            # Reloads that come faster than a key is opened would leave none open.
            wait_for(lambda n=served: agent.status()["requests"]["served_new"] >= n + 4 or
                     all(future.done() for future in failed))
        assert [future.result() for future in failed] == [[]] * 4
    wait_for(lambda: len(agent.children()) <= 4)


def test_a_server_that_is_away_for_long(start, serve):  # noqa: F811
    """Of 30 s a token is renewed from the 15th on: until then and after, what lives is served."""
    server = serve(30)
    agent = start(profiles={"main": server.settings(min_valid=None, timeout=2)})
    began = time.monotonic()
    first = agent.token()
    got = time.monotonic()
    server.real.stop()
    answers = []
    while time.monotonic() - began < 24:
        answers.append(agent.get("/v1/token?profile=main"))
        time.sleep(0.05)
    assert {answer.token for answer in answers} == {first}
    assert agent.log().count(" is served: ") == 1, agent.log()  # not with every request
    assert agent.get(f"/v1/token?profile=main&scope={VAULT}").status == 503
    time.sleep(max(0, 31 - (time.monotonic() - got)))
    answer = agent.get("/v1/token?profile=main")
    assert answer.status == 503 and answer.json["status"] == "network", answer
    server.begin()
    wait_for(lambda: agent.get("/v1/token?profile=main").status == 200, 40)
    assert agent.token() != first
