# SPDX-License-Identifier: Apache-2.0
"""The machine's clock is set while the agent runs, or was wrong when it began: no token is served past its end, and no
more is lost than what nobody can know."""

import os
import time

import pytest

import agent as agents
from endure import wait_for
from faketime import Clock

HOUR_S, DAY_S, YEAR_S = 3600, 86400, 365 * 86400
SECONDS = 40  # about, for parts that take equally long
LIFE_S = 3600
ASSERTION_S = 25 * 60
ME = str(os.getuid())


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path, agents.AGENT)


@pytest.fixture
def begin(start, clock):
    return lambda **options: start(env=clock.environment(), **options)


def issued(server):
    return sum(entry["outcome"]["status"] == 200 for entry in server.log())


def ask(agent):
    answer = agent.get("/v1/token?profile=main")
    return answer.json if answer.status == 200 else answer.status


def ends_in(agent, clock):
    """The token's end as its caller is told it, by the clock that the caller has too."""
    return ask(agent)["expires_on"] - clock.now()


def processor_seconds(agent):
    with open(f"/proc/{agent.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_forward_by_hours_a_token_has_ended_and_the_server_says_which_clock_is_wrong(begin, clock, server):
    agent = begin()
    first = agent.token()
    clock.set(2 * HOUR_S)
    assert ask(agent) == 400
    assert "set the clock" in agent.get("/v1/token?profile=main").json["hint"]
    clock.set(0)
    assert agent.token() == first and issued(server) == 1


def test_forward_by_days_that_were_right(begin, clock, server):
    """The clock was behind and the server was not asked before: nothing of that time is left over."""
    clock.set(-20 * DAY_S)
    agent = begin()
    assert ask(agent) != 200
    clock.set(0)
    wait_for(lambda: isinstance(ask(agent), dict))
    assert LIFE_S - 30 < ends_in(agent, clock) <= LIFE_S


def test_forward_by_minutes_the_next_token_is_signed_by_the_servers_clock(begin, clock, server):
    agent = begin()
    first = agent.token()
    clock.set(3400)
    assert agent.token() != first
    assert 0 < ends_in(agent, clock) <= LIFE_S
    assert abs(server.log()[-1]["assertion"]["claims"]["iat"] - time.time()) < 30
    clock.set(0)
    assert 0 < ends_in(agent, clock) <= LIFE_S
    assert abs(server.log()[-1]["assertion"]["claims"]["iat"] - time.time()) < 30


@pytest.mark.parametrize("by_s", [61, 1800, 3500])
def test_back_by_minutes_no_token_lives_longer_than_the_server_said(begin, clock, server, by_s):
    agent = begin()
    first = agent.token()
    clock.set(-by_s)
    assert ask(agent)["access_token"] != first
    assert ends_in(agent, clock) <= LIFE_S
    (listed,) = agent.profile()["valid_tokens"]
    assert 0 < listed["seconds_left"] <= LIFE_S
    assert issued(server) == 2


@pytest.mark.parametrize("by_s", [-2 * HOUR_S, -10 * YEAR_S, 30 * YEAR_S], ids=["hours", "years", "years ahead"])
def test_what_is_wrong_with_the_clock_is_said_and_over_when_it_is_right(begin, clock, server, by_s):
    agent = begin()
    first = agent.token()
    clock.set(by_s)
    agent.post("/v1/forget")
    answer = agent.get("/v1/token?profile=main")
    assert answer.status != 200 and answer.status != 504
    assert agent.get("/healthz").status == 200
    clock.set(0)
    wait_for(lambda: isinstance(ask(agent), dict), 25)
    assert agent.token() != first


def test_in_1970_without_a_network_and_then_today(begin, clock, server):
    clock.set_to(60)
    agent = begin(agent={"profile": "main"})
    answer = agent.get("/v1/token?profile=main")
    assert answer.status == 400 and "not valid before" in answer.json["message"]
    assert "clock right" in answer.json["hint"]
    assert server.log() == []
    clock.set(0)
    began = time.monotonic()
    wait_for(lambda: isinstance(ask(agent), dict), 35)  # the longest pause after a failure is 30 s
    assert time.monotonic() - began < 20  # after one it is a second
    assert LIFE_S - 30 < ends_in(agent, clock) <= LIFE_S


def test_what_a_server_asked_for_lasts_no_longer(begin, clock, server):
    server.script([{"status": 429, "headers": {"Retry-After": "5"}}])
    agent = begin(profiles={"main": {"timeout": 3}})
    assert ask(agent) == 429
    clock.set(-1800)
    assert ask(agent) == 429
    wait_for(lambda: isinstance(ask(agent), dict), 25)


def test_requests_end_when_they_should_whatever_the_clock_does(begin, clock, server):
    server.script([{"delay_ms": 5000, "status": 503}])
    agent = begin(agent={"request_timeout": 2})
    connection = agent.connection()
    began = time.monotonic()
    connection.request("GET", "/v1/token?profile=main")
    wait_for(server.log)  # a year before, its certificate is none yet
    clock.set(-YEAR_S)
    assert connection.getresponse().status == 504
    assert 1.5 < time.monotonic() - began < 30
    clock.set(0)
    wait_for(lambda: isinstance(ask(agent), dict), 25)


def test_an_idle_lock_counts_seconds_and_not_the_clock(begin, clock, main_folder):
    agent = begin(profiles={"main": {"pin_source": "tty"}}, agent={"lock_after": 5})
    agent.post("/v1/unlock?profile=main", main_folder.pin)
    clock.set(DAY_S)
    time.sleep(1.5)
    assert agent.profile()["state"] == "ready"
    clock.set(-DAY_S)
    wait_for(lambda: agent.profile()["state"] == "locked")


def test_unlocking_begins_the_time_until_it_is_locked(begin, main_folder):
    agent = begin(profiles={"main": {"pin_source": "tty"}}, agent={"lock_after": 5})
    time.sleep(5.5)  # it is idle before anybody unlocks it
    agent.post("/v1/unlock?profile=main", main_folder.pin)
    time.sleep(1.5)
    assert agent.profile()["state"] == "ready"


def test_an_assertion_in_a_file_is_made_anew_when_the_clock_is_set(begin, clock):
    grant = {"ci": {"profile": "main", "user": ME, "assertion": "yes", "assertion_file": "{folder}/assertion"}}
    agent = begin(grants=grant)
    path = os.path.join(agent.folder, "assertion")

    def made():
        wait_for(lambda: os.path.exists(path))
        with open(path, encoding="ascii") as file:
            return file.read()

    for by_s in (2 * HOUR_S, -2 * HOUR_S, 0):
        before = made()
        clock.set(by_s)
        wait_for(lambda: made() != before)


def test_nothing_spins_and_nothing_ends(begin, clock, server):
    grant = {"ci": {"profile": "main", "user": ME, "assertion": "yes", "assertion_file": "{folder}/assertion"}}
    agent = begin(grants=grant, agent={"listen": "127.0.0.1:0", "lock_after": 60})
    agent.token()
    for by_s in (DAY_S, -YEAR_S, 20 * YEAR_S, 0):
        clock.set(by_s)
        before, lines = processor_seconds(agent), len(agent.log().splitlines())
        time.sleep(2.5)
        assert processor_seconds(agent) - before < 0.5
        assert len(agent.log().splitlines()) - lines < 25
        assert agent.status()["pid"] == agent.process.pid
        assert agent.get("/metrics").status == 200
    wait_for(lambda: isinstance(ask(agent), dict), 35)
