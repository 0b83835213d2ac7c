# SPDX-License-Identifier: Apache-2.0
"""Servers and clients that others wrote, with keys that are on SoftHSM tokens.

What is needed beside this tree is fetched by install.sh into build/interop; without it the tests skip, and in
CI a skip is a failure.
"""

import os
import shutil
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for neighbour in ("../server", "../e2e"):
    sys.path.append(os.path.join(HERE, neighbour))

import cli  # noqa: E402
import pki  # noqa: E402
from oidcprovider import OidcProvider  # noqa: E402
from softhsm import Folder  # noqa: E402

MODULES = os.path.join(HERE, "../../build/interop/node_modules")

def pytest_sessionstart():
    if not os.path.isfile(cli.PROGRAM):
        raise pytest.UsageError("KEYSTAY must name the built program; meson test --suite interop sets it")


@pytest.fixture(scope="session")
def rsa_folder(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("rsa"))


@pytest.fixture(scope="session")
def ec_folder(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("ec"), "--key-type", "ec:P-256")


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    """The CA to trust, and key and certificate of a server on loopback."""
    return pki.prepare(str(tmp_path_factory.mktemp("tls")))


@pytest.fixture(scope="session")
def node_modules():
    """What install.sh fetched, all of it."""
    if shutil.which("node") is None or not os.path.isfile(os.path.join(MODULES, ".package-lock.json")):
        pytest.skip("needs node and build/interop: sh tests/interop/install.sh")
    return MODULES


@pytest.fixture
def oidc_provider(node_modules, tls, tmp_path):
    """oidc_provider(clients, algs=..., is_bis=..., is_plain=...): a running server, ended after the test."""
    running = []

    def start(clients, **options):
        folder = tmp_path / f"server-{len(running)}"
        folder.mkdir()
        running.append(OidcProvider(node_modules, folder, tls, clients, **options))
        return running[-1]
    yield start
    for server in running:
        server.stop()
