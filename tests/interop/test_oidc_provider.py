# SPDX-License-Identifier: Apache-2.0
"""node-oidc-provider, a certified server: what it accepts of keystay, and that it does refuse."""

import os
import ssl
import urllib.error
import urllib.parse
import urllib.request

import pytest

import jws
from cli import environment, refused, run
from oidcprovider import client, jwk, thumbprint

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture
def keystay(tmp_path):
    """keystay(server, folder, scope="read"): runs `keystay token` as the client "backup"."""
    def ask(server, folder, command="token", **options):
        settings = {
            "provider": "oidc", "issuer": server.issuer, "client-id": "backup", "scope": "read", "cacert": server.cacert,
            "module": folder.module, "key": "pkcs11:object=assertion", "certificate": folder.file("cert.pem"),
            "pin-source": folder.pin_source, "cache": "none",
        } | {name.replace("_", "-"): value for name, value in options.items()}
        flags = [f"--{name}" if value is True else f"--{name}={value}" for name, value in settings.items()]
        env = {"SOFTHSM2_CONF": folder.conf, "KEYSTAY_STATE_DIR": os.path.join(tmp_path, "state")}
        return run(command, *flags, env=environment(env))
    return ask


def granted(result, server, scope="read"):
    """The token that was printed is the one that the server issued."""
    assert (result.status, result.err) == (0, ""), result
    assert server.event() == {"issued": result.token, "client": "backup", "scope": scope}


@pytest.mark.parametrize("alg, kind", [("RS256", "rsa_folder"), ("PS256", "rsa_folder"), ("ES256", "ec_folder")])
def test_each_algorithm(oidc_provider, keystay, request, alg, kind):
    """The client is registered for this one alone."""
    folder = request.getfixturevalue(kind)
    server = oidc_provider([client("backup", jwk(folder), token_endpoint_auth_signing_alg=alg)])
    granted(keystay(server, folder, alg=alg), server)


@pytest.mark.parametrize("alg, kind", [("RS256", "rsa_folder"), ("PS256", "rsa_folder"), ("ES256", "ec_folder")])
def test_the_metadata_says_which_algorithm(oidc_provider, keystay, request, alg, kind):
    folder = request.getfixturevalue(kind)
    server = oidc_provider([client("backup", jwk(folder))], algs=[alg])
    granted(keystay(server, folder), server)


def test_rfc_7523bis(oidc_provider, keystay, rsa_folder):
    """A server that insists on the issuer as audience, and on the typ."""
    server = oidc_provider([client("backup", jwk(rsa_folder))], is_bis=True)
    granted(keystay(server, rsa_folder), server)
    refused(keystay(server, rsa_folder, audience="token-endpoint"), 6, "invalid_client")
    assert "RFC 7523bis" in server.event()["detail"]
    refused(keystay(server, rsa_folder, typ="JWT"), 6, "invalid_client")
    assert "RFC 7523bis" in server.event()["detail"]


@pytest.mark.parametrize("audience", ["issuer", "token-endpoint"])
def test_both_audiences(oidc_provider, keystay, rsa_folder, audience):
    server = oidc_provider([client("backup", jwk(rsa_folder))])
    granted(keystay(server, rsa_folder, audience=audience, typ="JWT"), server)


def test_the_key_id_chooses_among_keys(oidc_provider, keystay, rsa_folder, ec_folder):
    keys = [jwk(folder, kid=thumbprint(jwk(folder))) for folder in (ec_folder, rsa_folder)]
    server = oidc_provider([client("backup", *keys)])
    granted(keystay(server, rsa_folder, kid="jwk"), server)
    granted(keystay(server, ec_folder, kid="jwk"), server)
    refused(keystay(server, rsa_folder, kid="another"), 6, "invalid_client")


def test_a_resource(oidc_provider, keystay, rsa_folder):
    """RFC 8707: the token is a JWT for that resource."""
    server = oidc_provider([client("backup", jwk(rsa_folder))])
    result = keystay(server, rsa_folder, resource="https://api.example/", scope="read write")
    claims = jws.parse(result.token).claims
    assert (claims["aud"], claims["scope"], claims["iss"]) == ("https://api.example/", "read write", server.issuer)


def test_plain_http_on_this_machine(oidc_provider, keystay, rsa_folder):
    server = oidc_provider([client("backup", jwk(rsa_folder))], is_plain=True)
    refused(keystay(server, rsa_folder), 3, "must be https", hint="--allow-http-loopback")
    granted(keystay(server, rsa_folder, allow_http_loopback=True), server)


def test_a_key_that_is_not_the_clients(oidc_provider, keystay, rsa_folder, ec_folder):
    server = oidc_provider([client("backup", jwk(rsa_folder))])
    refused(keystay(server, ec_folder), 6, "invalid_client")


def test_a_client_that_is_not_there(oidc_provider, keystay, rsa_folder):
    server = oidc_provider([client("other", jwk(rsa_folder))])
    refused(keystay(server, rsa_folder), 6, "invalid_client")


def test_an_issuer_with_a_slash_that_the_server_does_not_write(oidc_provider, keystay, rsa_folder):
    server = oidc_provider([client("backup", jwk(rsa_folder))])
    refused(keystay(server, rsa_folder, issuer=f"{server.issuer}/"), 6, f"'{server.issuer}'", f"'{server.issuer}/'",
            hint="exactly as the server writes it")


def _post(server, assertion):
    fields = {"grant_type": "client_credentials", "client_id": "backup", "scope": "read",
              "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    request = urllib.request.Request(f"{server.issuer}/token", urllib.parse.urlencode(fields).encode("ascii"))
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=server.cacert)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_each_assertion_is_for_one_use(oidc_provider, keystay, rsa_folder):
    """The server takes a jti once; keystay makes a new one for each request."""
    server = oidc_provider([client("backup", jwk(rsa_folder))])
    assertion = keystay(server, rsa_folder, command="assertion").token
    assert _post(server, assertion) == 200
    assert server.event()["client"] == "backup"
    assert _post(server, assertion) == 401
    assert "only be used once" in server.event()["detail"]
    granted(keystay(server, rsa_folder), server)
    granted(keystay(server, rsa_folder), server)
