# SPDX-License-Identifier: Apache-2.0
"""What the server says: refusals in Entra's words with advice, and answers that make no sense."""

import json

import pytest

from cli import CLIENT, DOMAIN, OTHER_CLIENT, RESOURCE, TENANT, refused
from harness import AuthServer

ATTEMPTS = 4  # when the server is in trouble; everything else is asked once

GOOD = {"token_type": "Bearer", "expires_in": 3600, "access_token": "opaque"}


def answer(keystay, server, body, status=200, **step):
    """The run that got this answer, body as text or as what JSON makes of it."""
    text = body if isinstance(body, str) else json.dumps(body)
    server.script([{"status": status, "body": text, "repeat": attempts(status)} | step])
    return keystay.token()


def attempts(status):
    return ATTEMPTS if status in (408, 429) or status >= 500 else 1


def no_answer(result, server):
    """Nothing of a token is shown, and nothing was asked twice."""
    assert "opaque" not in result.err
    assert len(server.log()) == 1


def test_unknown_tenant(keystay):
    tenant = "11111111-2222-3333-4444-555555555555"
    result = keystay.token(tenant=tenant)
    refused(result, 6, "AADSTS90002", f"Tenant '{tenant}' not found", "HTTP 400", "invalid_request",
            hint="--tenant")


def test_unknown_client(keystay):
    result = keystay.token(client_id="22222222-3333-4444-5555-666666666666")
    refused(result, 6, "AADSTS700016", "unauthorized_client", hint="--client-id")


def test_a_certificate_that_was_not_uploaded(keystay):
    result = keystay.token(client_id=OTHER_CLIENT)
    refused(result, 6, "AADSTS700027", "invalid_client", "HTTP 401", hint="upload this certificate")


@pytest.mark.parametrize("offset_s", [7200, -7200])
def test_clocks_that_differ_by_hours(at, main_folder, tmp_path, offset_s):
    options = [f"--clock-offset={offset_s}"]
    clients = {CLIENT: [main_folder.file("cert.pem")]}
    with AuthServer(tmp_path, [f"{TENANT}={DOMAIN}"], clients, options=options) as other:
        result = at(main_folder).token(authority=other.url, cacert=other.cacert)
    refused(result, 6, "AADSTS700024", hint="set the clock")
    assert "behind" in result.hint if offset_s > 0 else "ahead of" in result.hint


def test_unknown_resource(keystay):
    refused(keystay.token(scope="https://unknown.example/.default"), 6, "AADSTS500011", hint="resource")
    v1 = keystay.token(scope=None, resource="https://unknown.example")
    refused(v1, 6, "AADSTS500011", "/oauth2/token", hint="resource")


def test_a_scope_of_single_permissions_is_refused_here(keystay, server):
    """The server would say AADSTS1002012; it is not even asked, and nothing is signed."""
    result = keystay.token(scope=f"{RESOURCE}/User.Read", shim="")
    refused(result, 3, "User.Read", "/.default", hint="/.default")
    assert not result.calls and server.log() == []


def test_ids_for_a_support_request(keystay, server):
    result = keystay.token(tenant="nobody.example")
    asked_with = server.log()[0]["headers"]["client-request-id"]
    assert f"\n  correlation id: {asked_with}\n" in result.err
    assert "\n  trace id: " in result.err
    assert "Trace ID" not in result.err and "Timestamp" not in result.err


@pytest.mark.parametrize("status, exit_status", [(400, 6), (401, 6), (403, 6), (429, 5), (500, 5), (503, 5)])
def test_an_oauth_error_by_its_http_status(keystay, server, status, exit_status):
    body = {"error": "temporarily_unavailable", "error_description": "AADSTS90033: A transient error."}
    result = answer(keystay, server, body, status)
    refused(result, exit_status, "temporarily_unavailable", f"HTTP {status}", hint="in a minute")


@pytest.mark.parametrize("status, body, exit_status, words, hint", [
    (502, "<html><body>Bad Gateway</body></html>", 5, "<html><body>Bad Gateway", "try again later"),
    (503, "", 5, "with no body", "try again later"),
    (429, "", 5, "with no body", "too many requests"),
    (408, "", 5, "with no body", "waited too long"),
    (429, "slow down", 5, "slow down", "too many requests"),
    (404, "<html>", 6, "<html>", "token endpoint"),
    (400, "{}", 6, "{}", "token endpoint"),
    (400, '{"error": 5}', 6, "not an OAuth answer", "token endpoint"),
    (403, '{"error": {"code": "x"}}', 6, "not an OAuth answer", "token endpoint"),
    (204, "", 6, "HTTP 204", "token endpoint"),
], ids=lambda value: str(value)[:20])
def test_an_answer_that_is_not_oauth(keystay, server, status, body, exit_status, words, hint):
    result = answer(keystay, server, body, status)
    refused(result, exit_status, f"HTTP {status}", words, hint=hint)
    assert len(server.log()) == attempts(status)


@pytest.mark.parametrize("status", [201, 203, 206])
def test_a_token_with_another_success_status_is_neither_taken_nor_shown(keystay, server, status):
    result = answer(keystay, server, GOOD, status)
    refused(result, 6, f"HTTP {status}", hint="token endpoint")
    no_answer(result, server)


@pytest.mark.parametrize("body", [
    "", " ", "hello", "<html>", "[]", "null", '"opaque"', '{"access_token": "opaque"', json.dumps(GOOD) + "x",
    json.dumps(GOOD)[:-1] + ', "access_token": "other"}', "[" * 100000, '{"a":' * 5000 + "1" + "}" * 5000,
    json.dumps(GOOD).replace("opaque", "opa\u0001que"),
], ids=["empty", "blank", "text", "html", "array", "null", "string", "cut", "trailing", "duplicate", "deep",
        "deep objects", "control"])
def test_a_body_that_is_not_one_json_object(keystay, server, body):
    result = answer(keystay, server, body)
    refused(result, 6, server.url, "HTTP 200, but", hint="token endpoint")
    no_answer(result, server)


@pytest.mark.parametrize("changes, words", [
    ({"access_token": None}, "access_token"),
    ({"access_token": ""}, "0 bytes"),
    ({"access_token": 5}, "access_token"),
    ({"access_token": "opaque\r\nX-Evil: 1"}, "no header may hold"),
    ({"access_token": "opaque token"}, "no header may hold"),
    ({"access_token": "opaqu\u00e9"}, "no header may hold"),
    ({"access_token": "a" * 300000}, "300000 bytes"),
    ({"token_type": None}, "token_type"),
    ({"token_type": "mac"}, "'mac'"),
    ({"token_type": ["Bearer"]}, "token_type"),
    ({"expires_in": -1}, "expires_in"),
    ({"expires_in": 0}, "expires_in"),
    ({"expires_in": 1e300}, "expires_in"),
    ({"expires_in": 10 ** 15}, "expires_in"),
    ({"expires_in": 1.5}, "expires_in"),
    ({"expires_in": "soon"}, "expires_in"),
    ({"expires_in": None, "token_type": "POP"}, "'POP'"),
], ids=lambda value: str(value)[:30])
def test_a_success_that_is_none(keystay, server, changes, words):
    body = {name: value for name, value in (GOOD | changes).items() if value is not None}
    result = answer(keystay, server, body)
    refused(result, 6, words)
    no_answer(result, server)


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER"])
def test_the_type_is_compared_without_case(keystay, server, token_type):
    assert answer(keystay, server, GOOD | {"token_type": token_type}).token == "opaque"


def test_an_error_with_status_200_is_no_token(keystay, server):
    refused(answer(keystay, server, {"error": "invalid_grant"}), 6, "HTTP 200")


EVIL = "\x1b]0;owned\x07\x1b[31m\x9b1m\u202e"


@pytest.mark.parametrize("status, body", [
    (400, {"error": EVIL, "error_description": f"AADSTS1: {EVIL}", "trace_id": EVIL, "correlation_id": EVIL}),
    (502, f"<html>{EVIL}"),
    (200, f"{EVIL}"),
    (200, GOOD | {"token_type": EVIL}),
], ids=["error", "page", "body", "type"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_the_server_cannot_steer_the_terminal(keystay, server, status, body, form):
    text = body if isinstance(body, str) else json.dumps(body)
    server.script([{"status": status, "body": text, "repeat": attempts(status)}])
    result = keystay.token(extra=["--verbose", "--error-format", form])
    assert result.status in (5, 6) and result.out == ""
    assert not any(control in result.err for control in "\x1b\x07\x9b\u202e"), result.err
    if form == "json":
        json.loads(result.err.splitlines()[-1])


def test_a_long_description_is_cut(keystay, server):
    body = {"error": "invalid_request", "error_description": "\u00e9" * 100000}
    result = answer(keystay, server, body, 400)
    refused(result, 6, "invalid_request", "\u00e9\u00e9\u00e9")
    assert len(result.err) < 2000  # and it was UTF-8 to its end, or it could not have been read


def test_headers_of_the_answer_cannot_either(keystay, server):
    names = ("Retry-After", "Date", "client-request-id", "WWW-Authenticate")
    server.script([{"status": 429, "headers": dict.fromkeys(names, "\x1b[31m"), "repeat": ATTEMPTS}])
    result = keystay.token(extra=["--verbose"])
    assert result.status == 5 and "\x1b" not in result.err
