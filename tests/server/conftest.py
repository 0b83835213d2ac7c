# SPDX-License-Identifier: Apache-2.0
"""Fixtures for the tests of the server: one server, its clients, and a way to post to it.

The server runs as its users run it, in a process of its own behind TLS. It lives for the whole session: a
test must not rely on what another one left behind.
"""

import pytest

from harness import AuthServer
from softkey import SoftClient, certificate, ec_key, rsa_key
from tokenapi import DOMAIN, TENANT, Api


@pytest.fixture(scope="session")
def clients():
    key = rsa_key()
    made = {
        "good": (key, certificate(key)),
        "expired": (key, certificate(key, -2, -1)),
        "early": (key, certificate(key, 1, 2)),
    }
    made |= {name: (other, certificate(other))
             for name, other in (("second", rsa_key()), ("weak", rsa_key(1024)), ("ec", ec_key()))}
    made = {name: SoftClient(f"client-{name}", *pair) for name, pair in made.items()}
    made["second"].client_id = made["good"].client_id
    return made


@pytest.fixture(scope="session")
def registered(clients, tmp_path_factory):
    """Client ids with the paths of their certificates, as the harness wants them."""
    folder = tmp_path_factory.mktemp("clients")
    paths = {}
    for name, client in clients.items():
        path = folder / f"{name}.pem"
        path.write_bytes(client.pem())
        paths.setdefault(client.client_id, []).append(path)
    return paths


@pytest.fixture(scope="session")
def server(registered, tmp_path_factory):
    with AuthServer(tmp_path_factory.mktemp("server"), [f"{TENANT}={DOMAIN}"], registered) as running:
        yield running


@pytest.fixture
def api(server, clients):
    server.clear_log()
    return Api(server, clients["good"])


@pytest.fixture
def refused():
    """Checks that a response is Entra's refusal with this code, and hands back its JSON."""
    def check(response, code, status=400, error="invalid_request"):
        body = response.json()
        assert (response.status, body["error"], body["error_codes"]) == (status, error, [code]), body
        assert body["error_description"].startswith(f"AADSTS{code}: ")
        return body
    return check
