# SPDX-License-Identifier: Apache-2.0
"""Servers and clients that others wrote, with keys that are on SoftHSM tokens.

What is needed beside this tree is fetched by install.sh into build/interop; without it the tests skip, and in
CI a skip is a failure.
"""

import os
import shutil
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for neighbour in ("../server", "../e2e", "../agent"):
    sys.path.append(os.path.join(HERE, neighbour))

import cli  # noqa: E402
import pki  # noqa: E402
import unpacked  # noqa: E402
from oidcprovider import OidcProvider  # noqa: E402
from relay import Relay  # noqa: E402
from softhsm import Folder  # noqa: E402

MODULES = os.path.join(HERE, "../../build/interop/node_modules")


def pytest_sessionstart():
    for name in ("KEYSTAY", "AGENT", "SIGNER"):
        if not os.path.isfile(os.environ.get(name, "")):
            raise pytest.UsageError(f"{name} must name the built file; meson test --suite interop sets it")


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


@pytest.fixture(scope="session")
def azure_python():
    """Which python3 has azure-identity, in the environment that unpacked.py makes."""
    for python in filter(os.path.exists, (unpacked.PYTHON, sys.executable)):
        done = subprocess.run([python, "-c", "import azure.identity"], env=unpacked.environment(),
                              stderr=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            return python
    pytest.skip(f"needs azure-identity for Python: {unpacked.INSTALL}")


@pytest.fixture
def relay():
    """relay(env): something between a client and the agent that counts."""
    running = []

    def begin(env):
        running.append(Relay(env))
        return running[-1]
    yield begin
    for one in running:
        one.stop()


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
