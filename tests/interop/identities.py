# SPDX-License-Identifier: Apache-2.0
"""An agent whose grant has an environment, for clients of a managed identity: fixtures."""

import os
import time

import pytest

import agent as agents
from cli import CLIENT, DOMAIN, TENANT, Keystay
from harness import AuthServer
from ports import free_port

PATIENCE_S = 60


@pytest.fixture(scope="module")
def entra(rsa_folder, tmp_path_factory):
    clients = {CLIENT: [rsa_folder.file("cert.pem")]}
    with AuthServer(tmp_path_factory.mktemp("entra"), [f"{TENANT}={DOMAIN}"], clients) as running:
        yield running


@pytest.fixture
def server(entra):
    entra.clear_log()
    return entra


def wait_for_file(path):
    deadline = time.monotonic() + PATIENCE_S
    while not os.path.exists(path):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return path


def variables(path):
    """As a service manager reads them: less the comments."""
    with open(wait_for_file(path), encoding="ascii") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file if not line.startswith("#"))


@pytest.fixture
def start(rsa_folder, server, tmp_path):
    """start(agent=..., grant=..., profiles=...): an agent, and the variables that its grant's environment file has."""
    running = []

    def begin(agent=None, grant=None, **options):
        grants = {"me": {"profile": "main", "user": str(os.getuid()), "environment": "yes"} | (grant or {})}
        keystay = Keystay(rsa_folder, server, tmp_path / "calls")
        one = agents.Agent(keystay, tmp_path, agent={"listen": f"127.0.0.1:{free_port()}"} | (agent or {}), grants=grants,
                           **options)
        running.append(one)
        return one, variables(os.path.join(one.folder, "me.env"))
    yield begin
    for one in running:
        one.stop()
