# SPDX-License-Identifier: Apache-2.0
"""Access tokens from a server that verifies strictly, and what went over the wire for them."""

import json
import re
import time

import pytest

import jws
from cli import CLIENT, DOMAIN, RESOURCE, SCOPE, TENANT

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def xms_test(token):
    """What the server wrote into the token of how the client proved itself."""
    return jws.parse(token).claims["xms_test"]


def only_entry(server):
    log = server.log()
    assert len(log) == 1, log
    return log[0]


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_v2_token(keystay, alg):
    token = keystay.token(alg=alg).token
    assert jws.parse(token).claims["aud"] == RESOURCE
    assert xms_test(token) == {"alg": alg, "thumbprints": ["x5t#S256"]}


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_v1_token(keystay, server, alg):
    token = keystay.token(scope=None, resource=RESOURCE, alg=alg).token
    assert jws.parse(token).claims["ver"] == "1.0"
    assert xms_test(token) == {"alg": alg, "thumbprints": ["x5t"]}
    assert only_entry(server)["path"] == f"/{TENANT}/oauth2/token"


def test_auto_is_ps256_for_v2_and_rs256_with_sha1_for_v1(keystay):
    v2 = keystay.token().token
    v1 = keystay.token(scope=None, resource=RESOURCE).token
    assert xms_test(v2) == {"alg": "PS256", "thumbprints": ["x5t#S256"]}
    assert xms_test(v1) == {"alg": "RS256", "thumbprints": ["x5t"]}


@pytest.mark.parametrize("form", [{}, {"scope": None, "resource": RESOURCE}], ids=["v2", "v1"])
def test_tenant_by_its_domain(keystay, server, form):
    token = keystay.token(tenant=DOMAIN, **form).token
    assert jws.parse(token).claims["tid"] == TENANT
    entry = only_entry(server)
    assert entry["path"].startswith(f"/{DOMAIN}/")
    assert entry["assertion"]["claims"]["aud"] == server.url + entry["path"]


@pytest.mark.parametrize("which, names", [
    ("sha256", ["x5t#S256"]), ("sha1", ["x5t"]), ("both", ["x5t", "x5t#S256"])])
def test_thumbprints(keystay, which, names):
    assert xms_test(keystay.token(thumbprint=which).token)["thumbprints"] == names


def test_form_fields_are_exactly_those_of_v2(keystay, server):
    keystay.token()
    form = only_entry(server)["form"]
    assert form[:-1] == [["grant_type", "client_credentials"], ["client_id", CLIENT], ["scope", SCOPE],
                         ["client_assertion_type", ASSERTION_TYPE]]
    assert form[-1][0] == "client_assertion"


def test_form_fields_are_exactly_those_of_v1(keystay, server):
    keystay.token(scope=None, resource=RESOURCE)
    names = [name for name, _ in only_entry(server)["form"]]
    assert names == ["grant_type", "client_id", "resource", "client_assertion_type", "client_assertion"]


def test_headers_of_the_request(keystay, server):
    result = keystay.token(extra=["--verbose"])
    entry = only_entry(server)
    headers = entry["headers"]
    assert entry["method"] == "POST" and entry["query"] == ""
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert headers["accept"] == "application/json"
    assert headers["user-agent"].startswith("keystay/")
    assert headers["return-client-request-id"] == "true"
    assert GUID.fullmatch(headers["client-request-id"])
    assert headers["client-request-id"] in result.err
    assert not {"authorization", "cookie", "expect", "referer"} & set(headers)


def test_each_request_has_ids_of_its_own(keystay, server):
    assert keystay.token().token != keystay.token().token
    one, two = server.log()
    assert one["headers"]["client-request-id"] != two["headers"]["client-request-id"]
    assert one["assertion"]["claims"]["jti"] != two["assertion"]["claims"]["jti"]


def test_one_signature_and_one_post_a_token(keystay, server):
    result = keystay.token(shim="")
    assert result.status == 0
    assert (result.calls["C_Login"], result.calls["C_Sign"], result.calls["C_Finalize"]) == (1, 1, 1)
    assert len(server.log()) == 1


def test_format_raw_is_the_token_alone(keystay):
    result = keystay.token(format="raw")
    assert re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}\n", result.out)
    assert result.err == ""


def test_format_json(keystay):
    answer = keystay.token(format="json").json
    assert set(answer) == {"access_token", "token_type", "expires_in", "expires_on"}
    assert answer["token_type"] == "Bearer"
    assert jws.parse(answer["access_token"]).claims["aud"] == RESOURCE
    assert 3540 <= answer["expires_in"] <= 3600
    assert abs(answer["expires_on"] - time.time() - 3600) < 60


def test_expires_in_as_a_string_is_read_too(keystay, server):
    body = {"token_type": "bearer", "expires_in": "120", "access_token": "opaque"}
    server.script([{"status": 200, "body": json.dumps(body)}])
    answer = keystay.token(format="json").json
    assert answer["access_token"] == "opaque" and 60 <= answer["expires_in"] <= 120


def test_lifetime_reaches_the_server(keystay, server):
    assert keystay.token(lifetime=60).status == 0
    assert only_entry(server)["assertion"]["lifetime_s"] == 60


def test_cache_none_is_accepted(keystay):
    assert keystay.token(cache="none").status == 0


def test_cacert_may_be_a_setting_of_the_environment(keystay, server):
    assert keystay.token(cacert=None, env={"KEYSTAY_CACERT": server.cacert}).status == 0


def test_verbose_tells_the_steps_and_nothing_secret(keystay, server, main_folder):
    result = keystay.token(extra=["--verbose"])
    assert result.status == 0
    for word in ("token 'main'", "id=%01", "POST https://", "HTTP 200", "PS256"):
        assert word in result.err
    assertion = dict(only_entry(server)["form"])["client_assertion"]
    for secret in (main_folder.pin, result.token, assertion, assertion.rpartition(".")[2]):
        assert secret not in result.err
