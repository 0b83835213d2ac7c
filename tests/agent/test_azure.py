# SPDX-License-Identifier: Apache-2.0
"""The managed identities of Azure's SDKs, over TCP: who is asked for what, and in which form it is answered."""

import datetime
import hashlib
import time

import pytest

from cli import CLIENT, OTHER_CLIENT, RESOURCE

MSI = f"/MSI/token?api-version=2019-08-01&resource={RESOURCE}"
MSI_2017 = f"/MSI/token/?api-version=2017-09-01&resource={RESOURCE}"
IMDS = f"/metadata/identity/oauth2/token?api-version=2018-02-01&resource={RESOURCE}"
LISTEN = {"listen": "127.0.0.1:0"}


def grant(agent, profile="main"):
    """As this very process is what asks, the header is good as long as the test."""
    answer = agent.post(f"/v1/grant?profile={profile}")
    assert answer.status == 200, answer
    return answer.json


def msi(agent, path=MSI, **headers):
    header = headers or {"X-IDENTITY-HEADER": grant(agent)["identity_header"]}
    return agent.tcp(path, header)


def test_app_service(start):
    agent = start(agent=LISTEN)
    given = grant(agent)
    host, port = agent.address()
    assert given["identity_endpoint"] == f"http://{host}:{port}/MSI/token"
    assert given["client_id"] == CLIENT and len(given["identity_header"]) == 43
    answer = msi(agent)
    assert answer.json.keys() == {"access_token", "resource", "token_type", "client_id", "expires_on"}
    assert int(answer.json["expires_on"]) > time.time() and isinstance(answer.json["expires_on"], str)
    assert answer.json["resource"] == RESOURCE and answer.json["token_type"] == "Bearer"
    assert answer.token == agent.token()


def test_an_address_is_opened_when_it_is_needed(start):
    agent = start()
    assert len(agent.status()["listening"]) == 1
    grant(agent)
    assert len(agent.status()["listening"]) == 2 and msi(agent).token


def test_over_v6(start):
    agent = start(agent={"listen": "[::1]:0"})
    assert agent.address()[0] == "[::1]" and msi(agent).token


def test_the_older_form(start):
    agent = start(agent=LISTEN)
    answer = agent.tcp(MSI_2017, {"secret": grant(agent)["identity_header"]})
    end = datetime.datetime.strptime(answer.json["expires_on"], "%m/%d/%Y %H:%M:%S %z")
    assert end > datetime.datetime.now(datetime.timezone.utc)


def test_another_resource(start):
    agent = start(agent=LISTEN)
    answer = msi(agent, "/MSI/token?resource=https://vault.example")
    assert answer.token == agent.token(scope="https://vault.example/.default") != agent.token()


REFUSED = {
    "no header": (MSI, {}, 400),
    "a wrong header": (MSI, {"X-IDENTITY-HEADER": "A" * 43}, 403),
    "no resource": ("/MSI/token?api-version=2019-08-01", None, 400),
    "another client id": (f"{MSI}&client_id={OTHER_CLIENT}", None, 400),
    "an object id": (f"{MSI}&object_id={OTHER_CLIENT}", None, 400),
    "a resource twice": (f"{MSI}&resource=x", None, 400),
}


@pytest.mark.parametrize("path, headers, status", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(start, path, headers, status):
    agent = start(agent=LISTEN)
    headers = {"X-IDENTITY-HEADER": grant(agent)["identity_header"]} if headers is None else headers
    answer = agent.tcp(path, headers)
    assert answer.status == status and answer.json["statusCode"] == status, answer
    assert answer.json["message"] and answer.json["correlationId"]


def test_the_right_client_id(start):
    agent = start(agent=LISTEN)
    assert msi(agent, f"{MSI}&client_id={CLIENT}").token


def refresher(agent):
    header = {"X-IDENTITY-HEADER": grant(agent)["identity_header"]}
    return lambda token: agent.tcp(
        f"{MSI}&token_sha256_to_refresh={hashlib.sha256(token.encode()).hexdigest()}", header)


def test_a_token_that_was_refused_is_replaced(start):
    agent = start(agent=LISTEN)
    first, refresh = msi(agent).token, refresher(agent)
    assert refresh("another").token == first
    early = refresh(first)
    assert early.status == 429 and early.json["statusCode"] == 429, early
    time.sleep(int(early.headers["retry-after"]))
    second = refresh(first).token
    assert second != first
    assert refresh(first).token == second == agent.token()


def test_who_refuses_every_token_costs_little(start, server):
    agent = start(agent=LISTEN)
    token, refresh, statuses = msi(agent).token, refresher(agent), []
    server.clear_log()
    began = time.monotonic()
    while time.monotonic() - began < 7:
        answer = refresh(token)
        statuses.append(answer.status)
        token = answer.token if answer.status == 200 else token
    got = [entry for entry in server.log() if entry["outcome"]["status"] == 200]
    assert len(got) == statuses.count(200) == 1 and statuses.count(429) > 50, statuses


BROWSERS = {
    "another host": {"Host": "keystay.example"},
    "a host that begins so": {"Host": "localhost.example"},
    "an address that is not this machine's": {"Host": "10.0.0.1"},
    "an origin": {"Host": "localhost", "Origin": "http://localhost"},
    "fetch metadata": {"Host": "localhost", "Sec-Fetch-Site": "none"},
    "a proxy": {"Host": "127.0.0.1", "X-Forwarded-For": "10.0.0.1"},
}


@pytest.mark.parametrize("headers", BROWSERS.values(), ids=BROWSERS)
def test_browsers_and_proxies_are_refused(start, headers):
    agent = start(agent=LISTEN)
    rest = {"X-IDENTITY-HEADER": grant(agent)["identity_header"]} | headers
    host = rest.pop("Host")
    assert agent.tcp(MSI, rest, host=host).status == 403


@pytest.mark.parametrize("host", ["localhost", "LocalHost:80", "127.0.0.1", "[::1]:4141"])
def test_this_machine_by_its_own_names(start, host):
    agent = start(agent=LISTEN)
    assert agent.tcp(MSI, {"X-IDENTITY-HEADER": grant(agent)["identity_header"]}, host=host).status == 200


def test_options_and_what_is_not_there_over_tcp(start):
    agent = start(agent=LISTEN)
    assert agent.tcp(MSI, method="OPTIONS").status == 405
    for path in ("/v1/token?profile=main", "/v1/assertion?profile=main", "/v1/status", "/v1/lock", "/v1/inject"):
        assert agent.tcp(path).status == 404


def test_imds_is_off(start):
    answer = start(agent=LISTEN).tcp(IMDS, {"Metadata": "true"})
    assert answer.status == 403 and answer.json["error"] and answer.json["error_description"]


def test_imds(start):
    agent = start(agent=LISTEN | {"imds": "yes"})
    probe = agent.tcp(IMDS)
    assert (probe.status, probe.json["error"]) == (400, "bad_request_102")
    answer = agent.tcp(IMDS, {"Metadata": "true"}).json
    assert answer["access_token"] == agent.token() and answer["token_type"] == "Bearer"
    assert all(isinstance(answer[name], str) for name in ("expires_in", "expires_on", "not_before"))
    assert int(answer["expires_on"]) - int(answer["not_before"]) >= int(answer["expires_in"]) > 0


@pytest.mark.parametrize("path", [IMDS.replace("token?", "token/?"), f"/{IMDS}"])
def test_imds_as_some_ask_for_it(start, path):
    agent = start(agent=LISTEN | {"imds": "yes"})
    assert agent.tcp(path, {"Metadata": "true"}).token == agent.token()


def test_imds_wants_one_profile(start):
    agent = start(profiles={"main": {}, "other": {}}, agent=LISTEN | {"imds": "yes"})
    answer = agent.tcp(IMDS, {"Metadata": "true"})
    assert answer.status == 403 and "profile" in agent.log()
