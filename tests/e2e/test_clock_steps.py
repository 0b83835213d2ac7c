# SPDX-License-Identifier: Apache-2.0
"""The machine's clock is set between two calls, or is wrong: what is kept is used no longer than it lives."""

import json
import os
import re
import shutil
import tempfile

import pytest

import cli
from cli import refused
from faketime import Clock

HOUR_S, DAY_S, YEAR_S = 3600, 86400, 365 * 86400
TMPFS = "/dev/shm"


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path, cli.PROGRAM)


@pytest.fixture
def ask(keystay, clock):
    """The program with a cache, at the clock's time."""
    runtime = tempfile.mkdtemp(dir=TMPFS, prefix="keystay-e2e-")
    env = {"XDG_RUNTIME_DIR": runtime} | clock.environment()

    def run(**changes):
        return keystay.token(env=env, **changes)

    run.folder = os.path.join(runtime, "keystay")
    yield run
    shutil.rmtree(runtime)


def age_by(ask, seconds):
    """What is kept was got so long ago, by both clocks."""
    for name in os.listdir(ask.folder):
        if name.endswith(".token"):
            path = os.path.join(ask.folder, name)
            with open(path, encoding="ascii") as file:
                record = json.load(file)
            for member in ("obtained_at", "expires_at", "wait_until"):
                if member in record:
                    record[member] -= seconds
            with open(path, "w", encoding="ascii") as file:
                json.dump(record, file)


def test_the_clock_is_the_tests(ask, clock):
    """Else nothing below would show anything."""
    clock.set_to(1)
    refused(ask(), 3, "is not valid before")


@pytest.mark.parametrize("by_s", [HOUR_S + 1, DAY_S, YEAR_S], ids=["an hour", "a day", "a year"])
def test_set_forward_the_token_has_ended(ask, clock, server, by_s):
    first = ask().token
    clock.set(by_s)
    assert ask().status != 0  # it is the clock that is wrong
    clock.set(0)
    assert ask().token == first
    assert sum(entry["outcome"]["status"] == 200 for entry in server.log()) == 1


def test_set_forward_by_less_it_lives_shorter(ask, clock, server):
    first = ask().token
    clock.set(3000)
    assert ask().token == first
    clock.set(3400)  # less is left than min_valid
    assert ask().token != first


@pytest.mark.parametrize("by_s", [61, 1800, 3000])
def test_set_back_a_token_that_looks_younger_is_not_used(ask, clock, server, by_s):
    first = ask().token
    age_by(ask, 3550)  # its last moments: by the wall clock it will live on, and may have ended
    clock.set(-by_s)
    second = ask(format="json")
    assert second.json["access_token"] != first
    assert second.json["expires_in"] <= HOUR_S
    assert "ahead of today's" in second.err
    assert ask().token == second.json["access_token"]


def test_set_back_what_a_server_asked_for_stays_as_long_as_it_was(ask, clock, server):
    server.script([{"status": 429, "headers": {"Retry-After": "600"}}])
    refused(ask(timeout=5), 5, "left alone until")
    clock.set(-DAY_S)
    again = refused(ask(timeout=5), 5, "left alone until")
    assert 590 <= int(re.search(r"for (\d+) s more", again.err)[1]) <= 601
    age_by(ask, 598)
    clock.set(-50)
    assert ask(timeout=20).token


def test_back_by_years_it_is_said_whose_fault_it_is(ask, clock):
    first = ask().token
    clock.set(-10 * YEAR_S)
    refused(ask(), 3, "is not valid before", hint="clock right")
    clock.set(0)
    assert ask().token == first


def test_a_machine_without_a_clock_of_its_own(ask, clock, server):
    """It begins in 1970, until the network has told it the time."""
    clock.set_to(60)
    refused(ask(), 3, "is not valid before", hint="clock right")
    assert server.log() == []
    clock.set(0)
    assert ask().token
    assert len(server.log()) == 1
