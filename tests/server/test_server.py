# SPDX-License-Identifier: Apache-2.0
"""The token endpoints around the assertion: tokens that are issued, forms that are refused, and the process
itself."""

import http.client
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
import uuid

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

import jws
from harness import PROGRAM, AuthServer
from tokenapi import DOMAIN, RESOURCE, TENANT, V1, V2, Api

GUID = "7d1c2a50-3c4e-4b0f-8a65-0f6f0c2f9a11"


def verified_claims(api, access_token):
    """The claims of an access token, checked with the key that the server publishes."""
    token = jws.parse(access_token)
    [key] = [key for key in api.send("GET", f"/{TENANT}/discovery/v2.0/keys").json()["keys"]
             if key["kid"] == token.header["kid"]]
    n, e = (int.from_bytes(jws.b64url_decode(key[name]), "big") for name in "ne")
    public_key = rsa.RSAPublicNumbers(e, n).public_key()
    assert jws.is_signed_by(token, jws.ALGORITHMS[token.header["alg"]], public_key)
    return token.claims


@pytest.mark.parametrize("alg", ["RS256", "PS256", "RS384", "RS512", "PS384", "PS512"])
@pytest.mark.parametrize("names", [("x5t",), ("x5t#S256",), ("x5t", "x5t#S256")])
@pytest.mark.parametrize("path, version", [(V1, 1), (V2, 2)])
def test_success(api, alg, names, path, version):
    response = api.post(path, assertion=api.client.assertion(api.url(path), api.client.header(alg, names)))
    assert response.status == 200, response.body
    assert "no-store" in response.headers["cache-control"]
    claims = verified_claims(api, response.json()["access_token"])
    assert claims["xms_test"] == {"alg": alg, "thumbprints": list(names)}
    party, proof = ("appid", "appidacr") if version == 1 else ("azp", "azpacr")
    assert (claims[party], claims[proof]) == (api.client.client_id, "2")
    assert (claims["aud"], claims["tid"], claims["ver"]) == (RESOURCE, TENANT, f"{version}.0")
    assert claims["iss"] == api.url(f"/{TENANT}/" + ("v2.0" if version == 2 else ""))
    assert claims["nbf"] == claims["iat"] == claims["exp"] - 3600
    assert claims["sub"] == claims["oid"] == str(uuid.UUID(claims["oid"]))


def test_body_of_v2_holds_numbers(api):
    body = api.post(V2).json()
    assert body.pop("access_token").count(".") == 2
    assert body == {"token_type": "Bearer", "expires_in": 3600, "ext_expires_in": 3600}


def test_body_of_v1_holds_strings(api):
    body = api.post(V1).json()
    assert all(isinstance(value, str) for value in body.values())
    assert (body["token_type"], body["resource"]) == ("Bearer", RESOURCE)
    assert body["expires_in"] == body["ext_expires_in"] == "3600"
    assert int(body["expires_on"]) - int(body["not_before"]) == 3600
    assert abs(int(body["not_before"]) - time.time()) < 10


@pytest.mark.parametrize("tenant", [DOMAIN, DOMAIN.upper(), TENANT.upper()])
def test_tenant_as_the_path_spells_it(api, tenant):
    path = f"/{tenant}/oauth2/v2.0/token"
    claims = verified_claims(api, api.post(path).json()["access_token"])
    assert claims["tid"] == TENANT


def test_each_certificate_of_a_client(api, clients):
    assert api.post(client=clients["second"]).status == 200


def test_host_by_which_the_server_is_called(api):
    base_url = f"https://localhost:{api.server.port}"
    response = api.post(headers={"Host": base_url[8:]}, assertion=api.client.assertion(base_url + V2))
    assert jws.parse(response.json()["access_token"]).claims["iss"].startswith(base_url)
    assert api.post(headers={"Host": "login.example"}).status == 421


def test_type_of_rfc_10070(api):
    header = api.client.header(typ="client-authentication+jwt")
    assert api.post(assertion=api.client.assertion(api.url(V2), header)).status == 200


def test_scopes_that_msal_adds(api):
    assert api.post(scope=f"{RESOURCE}/.default openid offline_access profile").status == 200


def test_resource_that_ends_in_a_slash(api):
    body = api.post(scope="https://vault.example//.default").json()
    assert jws.parse(body["access_token"]).claims["aud"] == "https://vault.example/"


@pytest.mark.parametrize("tenant", ["c0ffee00-0000-0000-0000-000000000000", "unknown.example", "common"])
@pytest.mark.parametrize("suffix", ["oauth2/v2.0/token", "oauth2/token"])
def test_unknown_tenant(api, refused, tenant, suffix):
    assert tenant in refused(api.post(f"/{tenant}/{suffix}"), 90002)["error_description"]


def test_unknown_tenant_of_the_documents(api, refused):
    refused(api.send("GET", "/unknown.example/discovery/v2.0/keys"), 90002)


def test_unknown_client(api, refused):
    refused(api.post(client_id="stranger"), 700016, error="unauthorized_client")


@pytest.mark.parametrize("path, name", [
    (V2, "grant_type"), (V2, "client_id"), (V2, "scope"), (V2, "client_assertion_type"), (V1, "resource"),
])
@pytest.mark.parametrize("value", [None, ""])
def test_missing_field(api, refused, path, name, value):
    assert f"'{name}'" in refused(api.post(path, **{name: value}), 900144)["error_description"]


@pytest.mark.parametrize("value", [None, ""])
def test_missing_assertion(api, refused, value):
    refused(api.post(client_assertion=value), 7000216, 401, "invalid_client")


def test_empty_body(api, refused):
    refused(api.post_raw(""), 900144)


def test_grant_type(api, refused):
    refused(api.post(grant_type="password"), 70003, error="unsupported_grant_type")


@pytest.mark.parametrize("changes", [
    {"client_secret": "x"},
    {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
])
def test_other_ways_to_authenticate(api, refused, changes):
    refused(api.post(**changes), 9002313)


@pytest.mark.parametrize("scope", ["/.default", "openid", f"{RESOURCE}/.default https://b.example/.default",
                                   f"{RESOURCE}/.default ", f"{RESOURCE}/.default  openid"])
def test_scope_that_names_no_single_resource(api, refused, scope):
    refused(api.post(scope=scope), 70011, error="invalid_scope")


@pytest.mark.parametrize("scope", ["https://graph.example/Mail.Read", RESOURCE, f"{RESOURCE}/.default/"])
def test_scope_without_default(api, refused, scope):
    refused(api.post(scope=scope), 1002012, error="invalid_scope")


def test_resource_on_v2(api, refused):
    refused(api.post(resource=RESOURCE), 901002)


@pytest.mark.parametrize("path, changes", [
    (V1, {"resource": "https://unknown.example"}),
    (V2, {"scope": "https://unknown.example/.default"}),
])
def test_unknown_resource(api, refused, path, changes):
    refused(api.post(path, **changes), 500011, error="invalid_resource")


@pytest.mark.parametrize("extra", ["grant_type=client_credentials", "client_id=other", "x=1&x=1"])
def test_duplicate_field(api, refused, extra):
    body = "&".join(f"{name}={value}" for name, value in [("grant_type", "client_credentials"),
                                                          ("client_id", api.client.client_id)])
    assert "twice" in refused(api.post_raw(f"{body}&{extra}"), 9002313)["error_description"]


@pytest.mark.parametrize("body", ["&", "grant_type", "=x", "a=%", "a=%zz", "a=b c", "a=b:c", "a=\u00e9",
                                  "a=%ff", "a=b&", '{"grant_type": "client_credentials"}'])
def test_body_that_is_no_form(api, refused, body):
    refused(api.post_raw(body), 9002313)


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data; boundary=x"])
def test_content_type(api, refused, content_type):
    refused(api.post(headers={"Content-Type": content_type}), 9002313)


def test_content_type_with_a_charset(api):
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert api.post(headers=headers).status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_method(api, refused, method):
    assert method in refused(api.send(method, V2), 900561)["error_description"]


@pytest.mark.parametrize("headers, status", [
    ([], 411),
    ([("Transfer-Encoding", "chunked")], 411),
    ([("Transfer-Encoding", "chunked"), ("Content-Length", "0")], 411),
    ([("Content-Length", "-1")], 400),
    ([("Content-Length", "0"), ("Content-Length", "0")], 400),
    ([("Content-Length", "300000")], 413),
])
def test_length_of_the_body(api, headers, status):
    connection = api.server.connect()
    connection.putrequest("POST", V2)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    assert (response.status, response.read(), api.server.log()) == (status, b"", [])
    connection.close()


def test_body_that_ends_early(api):
    connection = api.server.connect()
    connection.putrequest("POST", V2)
    connection.putheader("Content-Length", "9")
    connection.endheaders(b"a=b")
    connection.sock.shutdown(socket.SHUT_WR)
    time.sleep(0.05)
    assert api.server.log() == []
    connection.close()


def test_error_has_the_shape_of_entra(api, refused):
    headers = {"client-request-id": GUID, "return-client-request-id": "true"}
    response = api.post(headers=headers, client_id="stranger")
    body = refused(response, 700016, error="unauthorized_client")
    assert sorted(body) == ["correlation_id", "error", "error_codes", "error_description", "error_uri",
                            "timestamp", "trace_id"]
    assert body["correlation_id"] == response.headers["client-request-id"] == GUID
    assert body["error_description"].endswith(
        f" Trace ID: {body['trace_id']} Correlation ID: {GUID} Timestamp: {body['timestamp']}")
    assert body["error_uri"] == api.url("/error?code=700016")
    time.strptime(body["timestamp"], "%Y-%m-%d %H:%M:%SZ")


def test_correlation_id_is_a_guid_whatever_was_asked(api, refused):
    headers = {"client-request-id": "<script>", "return-client-request-id": "true"}
    response = api.post(headers=headers, client_id="stranger")
    body = refused(response, 700016, error="unauthorized_client")
    assert body["correlation_id"] == str(uuid.UUID(body["correlation_id"]))
    assert "client-request-id" not in response.headers


def test_metadata(api):
    body = api.send("GET", f"/{DOMAIN}/v2.0/.well-known/openid-configuration").json()
    assert body["issuer"] == api.url(f"/{TENANT}/v2.0")
    assert body["authorization_endpoint"] == api.url(f"/{DOMAIN}/oauth2/v2.0/authorize")
    assert body["token_endpoint"] == api.url(f"/{DOMAIN}/oauth2/v2.0/token")
    assert body["jwks_uri"] == api.url(f"/{DOMAIN}/discovery/v2.0/keys")


@pytest.mark.parametrize("path", ["/", "/error", V2 + "/", f"/{TENANT}/oauth2/v1.0/token"])
def test_unknown_path(api, path):
    assert api.post_raw("", path).status == 404


def test_connection_is_kept(api):
    connection = api.server.connect()
    for _ in range(2):
        connection.request("POST", V2, "", {"Content-Type": "application/x-www-form-urlencoded"})
        connection.getresponse().read()
    connection.close()
    first, second = api.server.log()
    assert first["peer_port"] == second["peer_port"]


def test_client_that_stalls_before_tls_blocks_nobody(api):
    with socket.create_connection((api.server.host, api.server.port)):
        assert api.post().status == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_tls_is_1_2_or_later(api):
    context = ssl.create_default_context(cafile=api.server.cacert)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        with socket.create_connection((api.server.host, api.server.port)) as raw:
            context.wrap_socket(raw, server_hostname="localhost")


def test_certificate_satisfies_a_strict_openssl(api):
    context = ssl.create_default_context(cafile=api.server.cacert)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    for name in ("localhost", "127.0.0.1", "::1"):
        with socket.create_connection((api.server.host, api.server.port)) as raw:
            context.wrap_socket(raw, server_hostname=name).close()


def run_program(*arguments):
    command = [sys.executable, PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "localhost:0", "127.0.0.1", ":0"])
def test_listens_on_loopback_addresses_only(tmp_path, address):
    result = run_program("--dir", str(tmp_path), "--listen", address)
    assert result.returncode == 2
    assert "usage:" in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "ready.json").exists()


@pytest.mark.parametrize("option", ["--tenant=contoso", "--client=id", "--client=id=/nonexistent.pem"])
def test_wrong_options(tmp_path, option):
    result = run_program("--dir", str(tmp_path), option)
    assert result.returncode == 2 and "Traceback" not in result.stderr


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_life_of_the_process(tmp_path, end):
    server = AuthServer(tmp_path, [TENANT], control=False)
    ready = json.loads((tmp_path / "ready.json").read_text())
    assert ready == {"url": server.url, "port": server.port, "pid": ready["pid"],
                     "cacert": str(tmp_path / "ca.pem")}
    assert stat.S_IMODE((tmp_path / "server.pem").stat().st_mode) == 0o600
    os.kill(ready["pid"], end)
    assert server.wait() == 0
    assert sorted(os.listdir(tmp_path)) == ["ca.pem", "server.pem"]


def test_certificate_authority_is_kept(tmp_path):
    seen = set()
    for _ in range(2):
        with AuthServer(tmp_path) as server:
            server.log()
            seen.add((tmp_path / "ca.pem").read_bytes())
    assert len(seen) == 1


def test_ends_with_its_parent(tmp_path):
    script = f"import os; from harness import AuthServer; AuthServer({str(tmp_path)!r}); os._exit(0)"
    folder = os.path.dirname(PROGRAM)
    subprocess.run([sys.executable, "-c", script], cwd=folder, check=True, timeout=60)
    deadline = time.monotonic() + 60
    while (tmp_path / "ready.json").exists():
        assert time.monotonic() < deadline, "the server outlived its parent"
        time.sleep(0.01)


def test_settings(tmp_path, clients, registered):
    """Token lifetime, clock, a second loopback address, and no control paths unless they are asked for."""
    options = ["--listen=[::1]:0", "--token-lifetime=60", "--clock-offset=-1000", "--verbose"]
    client = clients["good"]
    with AuthServer(tmp_path, [TENANT], registered, control=False, options=options) as server:
        api = Api(server, client)
        now = int(time.time()) - 1000
        early = api.post(assertion=client.assertion(api.url(V2)))
        assert early.json()["error_codes"] == [700024]
        body = api.post(assertion=client.assertion(api.url(V2), nbf=now, iat=now, exp=now + 600)).json()
        assert body["expires_in"] == 60
        for method, path in [("GET", "/__healthz"), ("GET", "/__log"), ("POST", "/__script")]:
            assert api.send(method, path, "[]").status == 404
        with pytest.raises(RuntimeError):
            server.log()


def test_speaks_tls_only(api):
    connection = http.client.HTTPConnection(api.server.host, api.server.port, timeout=60)
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.request("GET", "/__healthz")
        connection.getresponse()
    connection.close()
