# SPDX-License-Identifier: Apache-2.0
"""Locking, unlocking, forgetting, and reading the configuration anew."""

import os
import signal
import subprocess
import time

import pytest

import agent as agents
from cli import CLIENT, OTHER_CLIENT

PERSON = {"main": {"pin_source": "tty"}}


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_person_unlocks(start, main_folder):
    agent = start(profiles=PERSON, shim="")
    answer = agent.get("/v1/token?profile=main")
    assert answer.status == 400 and "agent unlock main" in answer.json["hint"], answer
    assert agent.profile()["state"] == "locked" and agent.profile()["asks_a_person"]
    assert agent.post("/v1/unlock?profile=main", main_folder.pin).status == 200
    assert agent.profile()["state"] == "ready" and agent.token()
    assert agent.calls().count("C_Login") == 1


def test_unlocking_twice_costs_no_try(start, main_folder):
    agent = start(profiles=PERSON, shim="")
    for pin in (main_folder.pin, "98765432"):
        assert agent.post("/v1/unlock?profile=main", pin).status == 200
    assert agent.calls().count("C_Login") == 1


def test_a_wrong_pin_and_then_the_right_one(start, main_folder):
    agent = start(profiles=PERSON)
    answer = agent.post("/v1/unlock?profile=main", "98765432")
    assert answer.status == 403 and answer.json["status"] == "pin_incorrect", answer
    assert agent.profile()["state"] == "pin wrong"
    assert agent.get("/v1/token?profile=main").status == 403
    assert agent.post("/v1/unlock?profile=main", main_folder.pin).status == 200
    assert agent.token()


def test_an_empty_pin(start):
    assert start(profiles=PERSON).post("/v1/unlock?profile=main").status == 400


def test_a_lock_ends_the_process_and_no_token_is_got(start, main_folder):
    agent = start(profiles=PERSON)
    agent.post("/v1/unlock?profile=main", main_folder.pin)
    first = agent.token()
    assert len(agent.children()) == 1
    assert agent.post("/v1/lock").status == 200
    wait_for(lambda: not agent.children())
    assert agent.token() == first  # one that is there is still served
    assert agent.get("/v1/token?profile=main&scope=https://vault.example/.default").status == 400
    assert agent.post("/v1/forget").status == 200
    assert agent.get("/v1/token?profile=main").status == 400
    assert agent.get("/readyz").status == 503
    agent.post("/v1/unlock?profile=main", main_folder.pin)
    assert agent.token() != first and agent.get("/readyz").status == 200


def test_a_pin_that_a_person_gave_is_there_after_a_crash(start, main_folder):
    agent = start(profiles=PERSON)
    agent.post("/v1/unlock?profile=main", main_folder.pin)
    first = agent.token()
    os.kill(agent.children()[0], signal.SIGKILL)
    agent.post("/v1/forget")
    assert agent.token() != first


def test_it_locks_by_itself(start, main_folder):
    agent = start(profiles=PERSON, agent={"lock_after": 1})
    agent.post("/v1/unlock?profile=main", main_folder.pin)
    wait_for(lambda: agent.profile()["state"] == "locked")
    assert "lock_after" in agent.log()


def test_a_profile_that_needs_nobody_is_not_locked_by_itself(start):
    agent = start(agent={"lock_after": 1})
    agent.token()
    time.sleep(3)
    assert agent.profile()["state"] == "ready"


def test_forgotten_tokens_are_got_anew(start):
    agent = start()
    first = agent.token()
    assert agent.post("/v1/forget?profile=main").status == 200
    assert agent.token() != first


def test_reload(start):
    agent = start(profiles={"main": {}, "old": {}})
    first = agent.token()
    agent.write_config({"main": {}, "new": {"client_id": CLIENT}})
    assert agent.post("/v1/reload").status == 200
    assert [profile["name"] for profile in agent.status()["profiles"]] == ["main", "new"]
    assert agent.token() == first  # what says the same keeps its tokens
    assert agent.token("new")


def test_reload_by_signal(start):
    agent = start()
    agent.write_config({"main": {}, "new": {}})
    agent.reload()
    wait_for(lambda: len(agent.status()["profiles"]) == 2)


def test_a_configuration_that_is_wrong_changes_nothing(start):
    agent = start()
    first = agent.token()
    agent.write_config({"main": {"timeout": "soon"}})
    answer = agent.post("/v1/reload")
    assert answer.status == 400 and "keystay.conf" in answer.json["message"], answer
    agent.reload()
    wait_for(lambda: "stays as it was" in agent.log())
    assert agent.token() == first


def test_changed_settings_get_new_tokens(start):
    agent = start()
    agent.token()
    agent.write_config({"main": {"client_id": OTHER_CLIENT}})
    assert agent.post("/v1/reload").status == 200
    assert agent.get("/v1/token?profile=main").status == 400  # registered with another certificate


@pytest.mark.parametrize("path", ["/v1/lock", "/v1/forget", "/v1/unlock"])
def test_a_profile_that_is_not_there(start, path):
    answer = start().post(f"{path}?profile=nowhere", "x")
    assert answer.status == 400 and "no profile" in answer.json["message"]


def test_a_second_agent_is_refused_and_the_first_goes_on(start):
    agent = start()
    second = subprocess.run([agents.AGENT, "--config", agent.config_path], capture_output=True, text=True, timeout=60)
    assert second.returncode == 3 and "listens at" in second.stderr, second
    assert agent.token()


def test_a_socket_that_was_left_behind_is_replaced(start):
    agent = start()
    agent.process.kill()
    agent.process.wait()
    assert os.path.exists(agent.socket)
    agent._start()
    assert agent.token()
    assert oct(os.stat(agent.socket).st_mode & 0o777) == "0o666"
