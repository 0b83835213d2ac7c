# SPDX-License-Identifier: Apache-2.0
"""Azure's command line, unmodified, with the agent for its managed identity and a small resource manager for Azure."""

import json
import shutil
import subprocess

import pytest

import cli
import unpacked
from agent import caller
from arm import SUBSCRIPTION, ResourceManager
from cli import CLIENT, OTHER_CLIENT, TENANT
from identities import entra, server, start  # noqa: F401, fixtures

PATIENCE_S = 120  # the first call compiles what it loads
CLOUD = "KeystayTest"


@pytest.fixture(scope="module")
def manager(tls):
    running = ResourceManager(tls, TENANT)
    yield running
    running.stop()


@pytest.fixture
def arm(manager):
    manager.authorizations.clear()
    return manager


def variables(folder, arm):
    return {"AZURE_CONFIG_DIR": str(folder / "az"), "HOME": str(folder), "REQUESTS_CA_BUNDLE": arm.cacert,
            "AZURE_CORE_COLLECT_TELEMETRY": "no", "AZURE_CORE_OUTPUT": "json"}


def run_az(env, *arguments):
    return subprocess.run([unpacked.program("az"), *arguments], env=unpacked.environment(env), check=False, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def cloud(manager, entra, tmp_path_factory):  # noqa: F811
    """A folder in which az knows a cloud of ours, and no other thing."""
    folder = tmp_path_factory.mktemp("cloud")
    env, url = variables(folder, manager), manager.url
    endpoints = {"resource-manager": url, "active-directory": entra.url, "active-directory-resource-id": url,
                 "active-directory-graph-resource-id": url, "management": url}
    options = [word for name, value in endpoints.items() for word in (f"--endpoint-{name}", value)]
    for arguments in (("register", "--name", CLOUD, *options), ("set", "--name", CLOUD)):
        done = run_az(env, "cloud", *arguments)
        assert done.returncode == 0 and "Error loading" not in done.stderr, done
    return folder


@pytest.fixture
def around(cloud, arm, tmp_path):
    """The variables of an az that was never used in this cloud."""
    shutil.copytree(cloud / "az", tmp_path / "az")
    return variables(tmp_path, arm)


@pytest.fixture
def az(around):
    """az(env, ...): how it ended."""
    return lambda env, *arguments: run_az(around | env, *arguments)


def answer(done):
    assert done.returncode == 0, done
    return json.loads(done.stdout)


@pytest.mark.parametrize("more", [(), ("--username", CLIENT)], ids=["the identity", "by its client id"])
def test_login_by_the_managed_identity(start, arm, az, more):  # noqa: F811
    agent, env = start()
    accounts = answer(az(env, "login", "--identity", *more))
    assert [account["id"] for account in accounts] == [SUBSCRIPTION]
    token = agent.token(scope=f"{arm.url}/.default")
    assert set(arm.authorizations) == {f"Bearer {token}"}
    found = answer(az(env, "account", "get-access-token"))
    assert (found["accessToken"], found["tokenType"], found["tenant"]) == (token, "Bearer", TENANT)


def test_a_token_for_another_resource(start, az):  # noqa: F811
    agent, env = start()
    answer(az(env, "login", "--identity"))
    found = answer(az(env, "account", "get-access-token", "--resource", "https://vault.example"))
    assert found["accessToken"] == agent.token(scope="https://vault.example/.default")


@pytest.mark.parametrize("is_running", [True, False], ids=["a running agent", "an agent of its own"])
def test_through_exec(start, arm, around, is_running):  # noqa: F811
    agent, _ = start()
    expected = agent.token(scope=f"{arm.url}/.default")
    if not is_running:
        agent.stop()
    az = unpacked.program("az")
    result = cli.run("exec", "main", "--", "sh", "-c", '"$0" login --identity >&2 && "$0" account get-access-token', az,
                     env=unpacked.environment(around | caller(agent)))
    assert set(arm.authorizations) == {f"Bearer {result.json['accessToken']}"}
    assert (result.json["accessToken"] == expected) == is_running


REFUSED = {
    "what is asked for": ({}, {}, ("--username", OTHER_CLIENT), CLIENT),
    "who asks": ({}, {"MSI_SECRET": "A" * 43}, (), "may not"),
    "by the server": ({"client_id": OTHER_CLIENT}, {}, (), "AADSTS700016"),
}


@pytest.mark.parametrize("profile, changes, more, words", REFUSED.values(), ids=REFUSED)
def test_what_no_time_will_heal_is_asked_for_once(start, relay, arm, az, profile, changes, more, words):  # noqa: F811
    _, env = start(profiles={"main": profile})
    counted = relay(env)
    done = az(counted.env | changes, "login", "--identity", *more)
    assert done.returncode != 0 and done.stdout == "" and words in done.stderr, done
    assert counted.n_requests == 1 and arm.authorizations == []
