# SPDX-License-Identifier: Apache-2.0
"""The managed identities of Azure's SDKs, over TCP: who is asked for what, and in which form it is answered."""

import datetime
import hashlib
import os
import time

import pytest

from cli import CLIENT, OTHER_CLIENT, RESOURCE, SCOPE, TENANT

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


@pytest.mark.parametrize("path, name", [
    (MSI, "x-identity-header"),  # azure_identity for Rust, all versions up to 2026
    (MSI, "X-Identity-Header"),  # MSAL for Go: net/http writes every name so
    (MSI_2017, "Secret"),  # Microsoft's example in C#, in "Managed identities for App Service" of 2019
    (IMDS, "metadata"),  # azure_identity for Rust
])
def test_a_header_by_its_name_in_any_case(start, path, name):
    agent = start(agent=LISTEN | {"imds": "yes"})
    value = "True" if name == "metadata" else grant(agent)["identity_header"]
    assert agent.tcp(path, {name: value}).token == agent.token()


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


def test_a_server_that_is_not_entra(start, server):
    """What stands for the profile's own scope is that scope; anything else goes as the resource that it was asked as."""
    profile = {"provider": "oidc", "authority": None, "tenant": None, "audience": "token-endpoint", "thumbprint": "sha256",
               "issuer": f"{server.url}/{TENANT}/v2.0"}
    agent = start(profiles={"main": profile}, agent=LISTEN)
    assert msi(agent).token == agent.token()
    assert msi(agent, "/MSI/token?resource=https://vault.example").status == 400  # this server wants a scope
    asked = [dict(entry["form"]) for entry in server.log() if entry["form"]]
    assert asked[0]["scope"] == SCOPE and "resource" not in asked[0], asked
    assert asked[-1]["resource"] == "https://vault.example" and "scope" not in asked[-1], asked


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


# How an identity is told, in which version, and who does it so.
CLIENT_IDS = {
    "2019-08-01": ("X-IDENTITY-HEADER", f"{MSI}&client_id="),  # MSAL for .NET 4.87, for node 3.6
    "2019-08-01 by its older name": ("X-IDENTITY-HEADER", f"{MSI}&clientid="),  # by hand: the name was changed
    "2017-09-01": ("secret", f"{MSI_2017}&clientid="),  # adal of go-autorest 14, for Go
    "2017-09-01 by its newer name": ("secret", f"{MSI_2017}&client_id="),  # the first azidentity for Go, of 2020
    "IMDS": ("Metadata", f"{IMDS}&client_id="),  # all
}


@pytest.mark.parametrize("name, path", CLIENT_IDS.values(), ids=CLIENT_IDS)
def test_a_client_id_must_be_the_profiles(start, name, path):
    agent = start(agent=LISTEN | {"imds": "yes"})
    header = {name: "true" if name == "Metadata" else grant(agent)["identity_header"]}
    assert agent.tcp(path + CLIENT.upper(), header).token == agent.token()
    answer = agent.tcp(path + OTHER_CLIENT, header)
    assert answer.status == 400 and CLIENT in answer.body.decode() and "eyJ" not in answer.body.decode(), answer
    assert "refused: a token for user" in agent.log() and "the client id is another one" in agent.log()


@pytest.mark.parametrize("name", ["principal_id", "object_id", "mi_res_id", "msi_res_id"])
def test_what_only_azure_knows_chooses_no_identity(start, name):
    """Whoever names another identity must not be given this one for it."""
    agent = start(agent=LISTEN | {"imds": "yes"})
    header = grant(agent)["identity_header"]
    for path, headers in ((MSI, {"X-IDENTITY-HEADER": header}), (MSI_2017, {"secret": header}), (IMDS, {"Metadata": "true"})):
        answer = agent.tcp(f"{path}&{name}={CLIENT}", headers)
        assert answer.status == 400 and name in answer.body.decode(), answer


# What is wrong, and what it is for App Service, in either version, and for IMDS.
FAILURES = {
    "the server says no": ({"client_id": "11111111-2222-3333-4444-555555555555"}, 400, 403, False),
    "locked": ({"pin_source": "tty"}, 400, 403, False),
    "the server is away": ({"authority": "https://127.0.0.1:1", "timeout": 2}, 503, 503, True),
}


@pytest.mark.parametrize("changes, status, imds_status, may_pass", FAILURES.values(), ids=FAILURES)
def test_how_each_is_told_what_fails(start, changes, status, imds_status, may_pass):
    """azure-identity 1.13 for Python asks IMDS no more, as long as its program runs, once it has said 400: that there
    is no such identity. MSAL for Python reads statusCode and message of App Service, MSAL for .NET all of both."""
    agent = start(profiles={"main": changes}, agent=LISTEN | {"imds": "yes"})
    header = grant(agent)["identity_header"]
    for path, headers in ((MSI, {"X-IDENTITY-HEADER": header}), (MSI_2017, {"secret": header})):
        answer = agent.tcp(path, headers)
        assert answer.status == answer.json["statusCode"] == status, answer
        assert answer.json.keys() == {"statusCode", "message", "correlationId"} and answer.json["message"], answer
        assert ("retry-after" in answer.headers) == may_pass
    answer = agent.tcp(IMDS, {"Metadata": "true"})
    assert answer.status == imds_status and answer.json.keys() == {"error", "error_description"}, answer
    assert all(answer.json.values()) and ("retry-after" in answer.headers) == may_pass


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
    end = time.monotonic() + 30
    while time.monotonic() < end:
        answer = refresh(token)
        statuses.append(answer.status)
        if answer.status == 200:
            token, end = answer.token, time.monotonic() + 2  # the next one could be in five seconds
    got = [entry for entry in server.log() if entry["outcome"]["status"] == 200]
    assert len(got) == statuses.count(200) == 1 and statuses.count(429) > 20, statuses


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
    assert f"a request of user {os.getuid()} was refused: " in agent.log()


@pytest.mark.parametrize("host", ["localhost", "LocalHost:80", "127.0.0.1", "[::1]:4141"])
def test_this_machine_by_its_own_names(start, host):
    agent = start(agent=LISTEN)
    assert agent.tcp(MSI, {"X-IDENTITY-HEADER": grant(agent)["identity_header"]}, host=host).status == 200


def test_options_and_what_is_not_there_over_tcp(start):
    agent = start(agent=LISTEN)
    assert agent.tcp(MSI, method="OPTIONS").status == 405
    for path in ("/v1/token?profile=main", "/v1/assertion?profile=main", "/v1/status", "/v1/lock", "/v1/inject"):
        assert agent.tcp(path).status == 404
    # MSAL for .NET 4.87 asks first whether there is a newer IMDS, and takes anything but a 400 for no.
    answer = agent.tcp("/metadata/identity/getplatformmetadata?cred-api-version=2.0")
    assert answer.status == 404 and answer.json["error"] == "invalid_request", answer


def test_imds_is_off(start):
    agent = start(agent=LISTEN)
    answer = agent.tcp(IMDS, {"Metadata": "true"})
    assert answer.status == 403 and answer.json["error"] == "access_denied" and "imds" in answer.json["error_description"]
    assert f"refused: a token by IMDS for user {os.getuid()}: there is no imds = yes" in agent.log()


def test_imds(start):
    agent = start(agent=LISTEN | {"imds": "yes"})
    for headers in ({}, {"Metadata": "false"}, {"Metadata": ""}, {"Metadata": "true, true"}):
        probe = agent.tcp(IMDS, headers)  # MSAL for .NET 4.87 takes a 400 without the header for "it is there"
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
