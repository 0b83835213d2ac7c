# SPDX-License-Identifier: Apache-2.0
"""Clients of a managed identity that others wrote, unmodified, with the agent for App Service or a virtual machine.

Each gets the very token that the agent's own interface gives, by variables from the grant's environment file. What
no time will heal is asked for once; what may pass is asked for again. Microsoft's agents are not here to compare with:
what each client sends and takes is what it does with those.
"""

import json
import os
import subprocess
import time

import pytest

import unpacked
from cli import CLIENT, OTHER_CLIENT, RESOURCE, SCOPE, TENANT, environment
from identities import PATIENCE_S, entra, server, start, wait_for_file  # noqa: F401, fixtures among them

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = ("node", "python")
SPAN_S = 60  # an end that a library reckons from a span is off by the seconds that passed


@pytest.fixture
def ask(node_modules, azure_python, tmp_path):
    """ask("node", way, env, scope): what identity.mjs, or .py, says: a dictionary."""
    commands = {"node": ["node", os.path.join(HERE, "identity.mjs"), node_modules],
                "python": [azure_python, os.path.join(HERE, "identity.py")]}

    def run(client, way, env, scope=SCOPE):
        done = subprocess.run([*commands[client], way, scope], env=unpacked.environment({"HOME": str(tmp_path)} | env),
                              check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=PATIENCE_S)
        return json.loads(done.stdout)
    return run


def settle(server):
    """At its start the agent asks for a token ahead of need; what comes after that is the client's doing."""
    deadline = time.monotonic() + PATIENCE_S
    while not server.log():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    server.clear_log()


def requests(agent):
    """How many the agent has answered, by what became of them."""
    counts = agent.status()["requests"]
    return counts["served_held"] + counts["served_new"], counts["failed"], counts["refused"]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("way, more", [("managed", {}), ("default", {"AZURE_TOKEN_CREDENTIALS": "prod"})])
def test_app_service(start, ask, client, way, more):
    agent, env = start()
    native = agent.get("/v1/token?profile=main").json
    found = ask(client, way, env | more)
    assert found["token"] == native["access_token"] and abs(found["ends"] - native["expires_on"]) <= SPAN_S, found
    assert requests(agent) == (2, 0, 0)


@pytest.mark.parametrize("client", CLIENTS)
def test_another_scope(start, ask, client):
    agent, env = start()
    other = "https://vault.example/.default"
    assert ask(client, "managed", env, other)["token"] == agent.token(scope=other) != agent.token()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_virtual_machine(start, ask, client):
    agent, env = start(agent={"imds": "yes"})
    base = env["IDENTITY_ENDPOINT"].removesuffix("/MSI/token")
    found = ask(client, "managed", {"AZURE_POD_IDENTITY_AUTHORITY_HOST": base, "AZURE_CLIENT_ID": CLIENT})
    native = agent.get("/v1/token?profile=main").json
    assert found["token"] == native["access_token"] and abs(found["ends"] - native["expires_on"]) <= SPAN_S, found


def test_a_virtual_machine_whose_key_is_unlocked_later(start, azure_python, rsa_folder, tmp_path):
    """azure-identity 1.13 for Python takes a 400 for "there is no identity", and asks no more as long as it runs."""
    agent, env = start(agent={"imds": "yes"}, profiles={"main": {"pin_source": "tty"}})
    base = env["IDENTITY_ENDPOINT"].removesuffix("/MSI/token")
    process = subprocess.Popen([azure_python, os.path.join(HERE, "identity.py"), "managed", SCOPE], text=True,
                               env=unpacked.environment({"HOME": str(tmp_path), "AZURE_POD_IDENTITY_AUTHORITY_HOST": base}),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert "is locked" in json.loads(process.stdout.readline())["error"]
    assert agent.post("/v1/unlock?profile=main", rsa_folder.pin).status == 200
    answers, _ = process.communicate("again\n", PATIENCE_S)
    assert json.loads(answers)["token"] == agent.token()


REFUSED = {
    "another client": ({"AZURE_CLIENT_ID": OTHER_CLIENT}, CLIENT),
    "a header that was not given out": ({"IDENTITY_HEADER": "A" * 43}, "may not"),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("changes, words", REFUSED.values(), ids=REFUSED)
def test_what_no_time_will_heal_is_asked_for_once(start, relay, ask, client, changes, words):
    _, env = start()
    counted = relay(env)
    assert words in ask(client, "managed", counted.env | changes)["error"]
    assert counted.n_requests == 1


@pytest.mark.parametrize("client", CLIENTS)
def test_what_the_server_refuses_is_asked_for_once(start, relay, server, ask, client):
    _, env = start(profiles={"main": {"client_id": OTHER_CLIENT}})
    settle(server)
    counted = relay(env)
    assert "AADSTS700016" in ask(client, "managed", counted.env)["error"]
    assert counted.n_requests == 1
    assert len(server.log()) <= 1  # none, where the agent has just been refused the same


@pytest.mark.parametrize("client", CLIENTS)
def test_what_may_pass_is_asked_for_again(start, relay, server, ask, client):
    """The agent itself asks the server four times before it says that this is down, and when to come again."""
    agent, env = start()
    settle(server)
    server.script([{"status": 503, "repeat": 4}])
    counted = relay(env)
    other = "https://vault.example/.default"
    assert ask(client, "managed", counted.env, other)["token"] == agent.token(scope=other)
    asked = [entry["outcome"]["status"] for entry in server.log() if dict(entry["form"])["scope"] == other]
    assert counted.n_requests == 2 and asked[-1] == 200 and 3 <= asked.count(503) <= 4, asked


def test_curl(start):
    agent, env = start()
    command = ["curl", "-sS", "--fail", "-H", f"X-IDENTITY-HEADER: {env['IDENTITY_HEADER']}",
               f"{env['IDENTITY_ENDPOINT']}?api-version=2019-08-01&resource={RESOURCE}"]
    done = subprocess.run(command, env=environment(), check=True, stdout=subprocess.PIPE, timeout=PATIENCE_S)
    assert json.loads(done.stdout)["access_token"] == agent.token()


@pytest.mark.parametrize("client, way", [("node", "file"), ("python", "file"), ("python", "default")])
def test_the_assertion_in_a_file(start, ask, server, client, way):
    grant = {"assertion": "yes", "assertion_file": "{folder}/assertion"}
    agent, _ = start(grant=grant)
    path = wait_for_file(os.path.join(agent.folder, "assertion"))
    env = {"AZURE_FEDERATED_TOKEN_FILE": path, "AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT,
           "AZURE_AUTHORITY_HOST": server.url, "NODE_EXTRA_CA_CERTS": server.cacert, "REQUESTS_CA_BUNDLE": server.cacert}
    assert ask(client, way, env)["token"].count(".") == 2
