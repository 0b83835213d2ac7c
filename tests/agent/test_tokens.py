# SPDX-License-Identifier: Apache-2.0
"""Tokens over the Unix socket: who gets which, how often something is signed, what errors say."""

import concurrent.futures
import time

import pytest

import agent as agents
from cli import CLIENT, SCOPE

def posts(server):
    return [entry for entry in server.log() if entry["outcome"]["status"] == 200]


def test_a_token_is_got_once_and_served_often(start, server):
    agent = start()
    answer = agent.get("/v1/token?profile=main")
    assert answer.json.keys() == {"access_token", "token_type", "expires_on"}
    assert answer.json["token_type"] == "Bearer" and answer.json["expires_on"] > time.time() + 60
    assert answer.headers["cache-control"] == "no-store"
    assert {agent.token() for _ in range(20)} == {answer.token}
    assert len(posts(server)) == 1


def test_two_hundred_cold_callers_cost_one_signature_and_one_post(start, server):
    agent = start(shim="C_Sign:sleep=200", agent={"max_connections_per_user": 1000})
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        tokens = set(pool.map(lambda _: agent.token(), range(200)))
    assert len(tokens) == 1 and len(posts(server)) == 1
    assert agent.calls().count("C_Sign") == 1


def test_each_scope_has_its_token(start):
    agent = start()
    assert agent.token(scope=SCOPE) == agent.token()
    assert agent.token(scope="https://vault.example/.default") != agent.token()


def test_a_connection_is_kept(start):
    agent = start()
    connection = agent.connection()
    first = agents.ask(connection, "/v1/token?profile=main")
    sock = connection.sock
    assert agents.ask(connection, "/v1/token?profile=main").token == first.token
    assert connection.sock is sock


def test_the_header_for_a_proxy(start):
    agent = start()
    answer = agent.get("/v1/inject?profile=main")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["authorization"] == f"Bearer {agent.token()}"


def test_an_assertion_is_a_right_of_its_own(start):
    agent = start()
    assert agent.get("/v1/assertion?profile=main").status == 403
    assert "assertion" in agent.log()


def test_who_is_refused_does_not_choose_the_words_of_the_log(start):
    """Refusals of other words each would fill what is told of a minute, and hide the others."""
    agent = start()
    for name in ("some-words", "other-words"):
        assert agent.get(f"/v1/assertion?profile={name}").status == 403
    assert agent.get("/v1/assertion?profile=main").status == 403
    log = agent.log()
    assert "an assertion of a profile that is not there" in log and "an assertion of profile main" in log
    assert "-words" not in log


def test_an_assertion_by_a_grant(start):
    agent = start(grants={"me": {"profile": "main", "user": "0", "assertion": "yes"}})
    answer = agent.get("/v1/assertion?profile=main").json
    assert answer["client_assertion"].count(".") == 2
    assert answer["client_assertion"] != agent.get("/v1/assertion?profile=main").json["client_assertion"]


WRONG = {
    "no profile": ("/v1/token", 400, "profile"),
    "an unknown profile": ("/v1/token?profile=nobody", 404, "profile"),
    "an unknown argument": ("/v1/token?profile=main&scop=x", 400, "unknown argument"),
    "an argument twice": ("/v1/token?profile=main&profile=main", 400, "twice"),
    "scope and resource": ("/v1/token?profile=main&scope=a&resource=b", 400, "both"),
    "a number that is none": ("/v1/token?profile=main&min_valid=soon", 400, "min_valid"),
    "a NUL": ("/v1/token?profile=ma%00in", 400, "text"),
    "a line end": ("/v1/token?profile=main%0d%0aX:y", 400, "text"),
    "no such path": ("/v1/tokens", 404, "nothing here"),
    "the root": ("/", 404, "nothing here"),
}


@pytest.mark.parametrize("path, status, word", WRONG.values(), ids=WRONG)
def test_wrong_requests(start, path, status, word):
    answer = start().get(path)
    assert answer.status == status and word in answer.body.decode(), answer


def test_methods(start):
    agent = start()
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer = agent.get("/v1/token?profile=main", method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET")
    assert agent.get("/v1/lock").status == 405
    assert agent.get("/healthz", method="HEAD").status == 200


def test_a_body_that_is_too_large(start):
    assert start().post("/v1/unlock?profile=main", b"1" * 10000).status == 413


def test_what_the_server_says_no_to(start, server):
    agent = start(profiles={"main": {"client_id": "11111111-2222-3333-4444-555555555555"}})
    answer = agent.get("/v1/token?profile=main")
    assert answer.status == 400 and answer.json["status"] == "server_refused", answer


def test_a_server_that_is_away(start):
    agent = start(profiles={"main": {"authority": "https://127.0.0.1:1", "timeout": 2}})
    answer = agent.get("/v1/token?profile=main")
    assert answer.status == 503 and answer.json["status"] == "network" and answer.headers["retry-after"], answer


def test_a_wrong_pin_is_sent_once(start, main_folder):
    wrong = f"file:{main_folder.write('agent-wrong-pin', '98765432')}"
    agent = start(profiles={"main": {"pin_source": wrong}}, shim="")
    for _ in range(5):
        answer = agent.get("/v1/token?profile=main")
        assert answer.status == 403 and answer.json["status"].startswith("pin_"), answer
    assert agent.calls().count("C_Login") == 1
    assert agent.profile()["state"] == "pin wrong"


def test_status(start):
    agent = start(profiles={"main": {}, "other": {"client_id": CLIENT}})
    agent.token()
    status = agent.status()
    assert status["pid"] == agent.process.pid and status["listening"] == [agent.socket]
    assert [profile["state"] for profile in status["profiles"]] == ["ready", "idle"]
    assert agent.profile()["tokens"] == 1 and agent.profile()["certificate_ends"] > time.time()
    assert status["requests"]["served_new"] == 1


def test_a_profile_is_opened_at_the_start(start, server):
    agent = start(agent={"profile": "main"}, profiles={"main": {}, "other": {}})
    deadline = time.monotonic() + 60
    while agent.profile()["tokens"] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert agent.profile("other")["state"] == "idle"
    assert agent.status()["requests"]["served_new"] == 0 and len(posts(server)) == 1


def test_what_is_opened_at_the_start_must_be_usable(start, tmp_path):
    agent = start()
    agent.write_config({"main": {"client_id": "no id"}}, {"profile": "main"})
    answer = agent.post("/v1/reload")
    assert answer.status == 400 and "main" in answer.json["message"], answer
