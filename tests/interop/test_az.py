# SPDX-License-Identifier: Apache-2.0
"""Azure's command line, unmodified, with the agent for its managed identity and a small resource manager for Azure.

It takes 663 MB and more than two minutes to install, so it is not among what tests/check.sh installs: meson has this
test where there is an az.
"""

import json
import os
import shutil
import subprocess

import pytest

from arm import SUBSCRIPTION, ResourceManager
from cli import CLIENT, TENANT, environment
from identities import entra, server, start  # noqa: F401, fixtures

PATIENCE_S = 120
CLOUD = "KeystayTest"


@pytest.fixture
def arm(tls):
    running = ResourceManager(tls, TENANT)
    yield running
    running.stop()


@pytest.fixture
def az(arm, server, tmp_path):
    """az(env, ...): what it prints, in a cloud of its own."""
    if shutil.which("az") is None:
        pytest.skip("needs az")
    basis = {"AZURE_CONFIG_DIR": str(tmp_path / "az"), "HOME": str(tmp_path), "REQUESTS_CA_BUNDLE": arm.cacert,
             "AZURE_CORE_COLLECT_TELEMETRY": "no", "AZURE_CORE_OUTPUT": "json"}

    def run(env, *arguments):
        done = subprocess.run(["az", *arguments], env=environment(basis | env), check=False, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE_S)
        assert done.returncode == 0, done
        return json.loads(done.stdout or "null")
    run({}, "cloud", "register", "--name", CLOUD, "--endpoint-resource-manager", arm.url,
        "--endpoint-active-directory", server.url, "--endpoint-active-directory-resource-id", arm.url,
        "--endpoint-active-directory-graph-resource-id", arm.url, "--endpoint-management", arm.url)
    run({}, "cloud", "set", "--name", CLOUD)
    return run


@pytest.mark.parametrize("more", [(), ("--username", CLIENT)], ids=["the identity", "by its client id"])
def test_login_by_the_managed_identity(start, arm, az, more):
    agent, env = start()
    accounts = az(env, "login", "--identity", *more)
    assert [account["id"] for account in accounts] == [SUBSCRIPTION]
    token = agent.token(scope=f"{arm.url}/.default")
    assert set(arm.authorizations) == {f"Bearer {token}"}
    assert az(env, "account", "get-access-token")["accessToken"] == token
