# SPDX-License-Identifier: Apache-2.0
"""The control paths: the log, and each way in which the server misbehaves when it is told to."""

import base64
import http.client
import json
import threading
import time

import pytest

import jws
from tokenapi import V1, V2

STEP = {"status": 500, "body": "x"}


@pytest.fixture(autouse=True)
def no_step_is_left(api):
    """The session's server must be well-behaved again for the next test."""
    yield
    assert api.post().status == 200


def test_healthz(api):
    response = api.send("GET", "/__healthz")
    assert (response.status, response.json()) == (200, "ok")


def test_status_headers_and_body(api):
    headers = {"Retry-After": "7", "X-Two": ["a", "b"]}
    api.server.script([{"status": 503, "headers": headers, "body": "caf\u00e9"}])
    response = api.post()
    assert (response.status, response.body) == (503, "caf\u00e9".encode("utf-8"))
    assert (response.headers["retry-after"], response.headers["x-two"]) == ("7", "b")
    assert response.headers["content-type"].startswith("application/json")


def test_steps_are_used_in_order_and_repeated(api):
    api.server.script([{"status": 501, "repeat": 2}, {"status": 502}])
    api.server.script([{"status": 503}])
    assert [api.post().status for _ in range(5)] == [501, 501, 502, 503, 200]


def test_headers_are_replaced_and_removed(api):
    headers = {"content-type": "text/html", "Date": None, "Server": "other"}
    api.server.script([{"status": 200, "headers": headers}])
    response = api.post()
    assert (response.headers["content-type"], response.headers["server"]) == ("text/html", "other")
    assert "date" not in response.headers


def test_body_of_any_bytes(api):
    raw = bytes(range(256))
    api.server.script([{"status": 200, "body_base64": base64.b64encode(raw).decode("ascii")}])
    assert api.post().body == raw


def test_without_a_status_the_normal_answer_is_bent(api):
    api.server.script([{"headers": {"X-Test": "1"}}, {"body": "not JSON"}])
    response = api.post()
    assert response.headers["x-test"] == "1"
    assert response.json()["token_type"] == "Bearer"
    assert (api.post().status, api.post().status) == (200, 200)


def test_scripted_answer_needs_no_right_request(api):
    api.server.script([STEP])
    assert api.post_raw("nonsense").status == 500


@pytest.mark.parametrize("step", [STEP | {"verify": True}, {"body": "x", "verify": True}])
def test_verification_comes_first_on_demand(api, refused, step):
    api.server.script([step, step])
    refused(api.post(client_id="stranger"), 700016, error="unauthorized_client")
    assert api.post().body == b"x"


def test_no_token_for_a_wrong_request(api):
    api.server.script([{"headers": {"X-Test": "1"}}])
    response = api.post(client_id="stranger")
    assert (response.status, response.headers["x-test"]) == (400, "1")


def test_delay(api):
    api.server.script([STEP | {"delay_ms": 200}])
    start = time.monotonic()
    assert api.post().status == 500
    assert time.monotonic() - start >= 0.2


def test_delay_holds_up_nobody_else(api):
    api.server.script([STEP | {"delay_ms": 700}])
    start = time.monotonic()
    slow = threading.Thread(target=api.post)
    slow.start()
    while not api.server.log():
        time.sleep(0.005)
    assert api.post().status == 200
    assert time.monotonic() - start < 0.7
    slow.join()


def test_stall_in_the_body(api):
    api.server.script([{"status": 200, "body": "abcd", "stall_body_ms": 200}])
    connection = api.server.connect()
    connection.request("POST", V2, "")
    response = connection.getresponse()
    assert response.read(2) == b"ab"
    start = time.monotonic()
    assert response.read(2) == b"cd"
    assert time.monotonic() - start >= 0.15
    connection.close()


def test_close_before_the_headers(api):
    api.server.script([STEP | {"close": "before_headers"}])
    with pytest.raises((http.client.RemoteDisconnected, OSError)):
        api.post()


def test_close_in_the_body(api):
    api.server.script([{"status": 200, "body": "abcd", "close": "mid_body"}])
    with pytest.raises((http.client.IncompleteRead, OSError)) as caught:
        api.post()
    if isinstance(caught.value, http.client.IncompleteRead):
        assert caught.value.partial == b"ab"


def test_close_without_warning(api):
    api.server.script([STEP | {"close": "after"}])
    connection = api.server.connect()
    connection.request("POST", V2, "")
    response = connection.getresponse()
    assert (response.read(), response.will_close) == (b"x", False)
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.request("POST", V2, "")
        connection.getresponse()
    connection.close()


def test_body_without_end(api):
    api.server.script([{"status": 200, "body": "ab", "chunk_endless": True}])
    connection = api.server.connect()
    connection.request("POST", V2, "")
    response = connection.getresponse()
    data = response.read(2 * 1024 * 1024)
    assert len(data) == 2 * 1024 * 1024 and set(data) == set(b"ab")
    response.close()
    connection.close()


@pytest.mark.parametrize("script", [
    {}, [1], [{"status": "200"}], [{"status": 99}], [{"status": True}], [{"unknown": 1}],
    [{"headers": {"a": 1}}], [{"headers": {"a": [1]}}], [{"body": 1}], [{"body_base64": "?"}],
    [{"body": "", "body_base64": ""}], [{"delay_ms": -1}], [{"delay_ms": 1.5}], [{"stall_body_ms": "1"}],
    [{"repeat": 0}], [{"close": "never"}], [{"close": []}], [{"verify": 1}], [{"chunk_endless": 1}],
    [STEP, {"unknown": 1}],
])
def test_script_that_is_wrong_is_refused_as_a_whole(api, script):
    response = api.send("POST", "/__script", json.dumps(script))
    assert response.status == 400 and response.json()["error"]


def test_script_that_is_no_json(api):
    assert api.send("POST", "/__script", b"[\xff").status == 400


def test_log_of_a_success(api):
    text = api.client.assertion(api.url(V1))
    body = api.post(V1 + "?api-version=1.0", {"X-Test": "1"}, assertion=text)
    assert body.status == 200
    [entry] = api.server.log()
    assert (entry["method"], entry["path"], entry["query"]) == ("POST", V1, "api-version=1.0")
    assert entry["headers"]["x-test"] == "1"
    assert entry["form"][0] == ["grant_type", "client_credentials"]
    assert ["client_assertion", text] in entry["form"] and f"client_assertion={text}" in entry["body"]
    token = jws.parse(text)
    assert entry["assertion"] == {"header": token.header, "claims": token.claims, "lifetime_s": 600}
    assert entry["outcome"] == {"status": 200, "scripted": False}


def test_log_of_a_refusal(api):
    api.post(client_id="stranger")
    outcome = api.server.log()[0]["outcome"]
    assert (outcome["status"], outcome["error_codes"]) == (400, [700016])
    assert outcome["error"] == "unauthorized_client"


@pytest.mark.parametrize("body, form", [
    ("nonsense", None),
    ("client_assertion=a.b.c&client_assertion=2", [["client_assertion", "a.b.c"], ["client_assertion", "2"]]),
])
def test_log_of_nonsense(api, body, form):
    api.post_raw(body)
    [entry] = api.server.log()
    assert (entry["body"], entry["form"], entry["assertion"]) == (body, form, None)


def test_log_of_a_scripted_answer(api):
    api.server.script([STEP])
    api.post()
    [entry] = api.server.log()
    assert entry["outcome"] == {"status": 500, "scripted": True}
    assert entry["assertion"]["claims"]["sub"] == api.client.client_id


def test_log_is_cleared(api):
    api.post()
    api.server.clear_log()
    assert api.server.log() == []
