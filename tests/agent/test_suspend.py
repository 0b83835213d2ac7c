# SPDX-License-Identifier: Apache-2.0
"""What a person has unlocked is locked before the machine sleeps. The bus is a real one, logind is not: the machine that
runs the tests must not sleep."""

import signal
import sys
import tempfile
import time

import pytest

import test_service
from endure import descriptors, is_under_sanitizer, rss_anon_kb, wait_for
from login import Bus, Login
from test_service import folder_of, units  # noqa: F401

SECONDS = 30  # about, for parts that take equally long
PERSON = {"main": {"pin_source": "tty"}}
ON = {"lock_on_suspend": "yes"}
BAD, GOOD = "nobody says that the machine is about to sleep", "the machine's sleep waits"
RSS_LEAST_KB = 6 * 1024

pytestmark = test_service.under_a_manager


@pytest.fixture
def bus():
    with tempfile.TemporaryDirectory(prefix="keystay-bus-") as folder, Bus(folder) as one:
        yield one


@pytest.fixture
def login(bus):
    with Login(bus) as one:
        yield one


@pytest.fixture
def begin(start, bus):
    return lambda agent=ON, **options: start(env=bus.environment(), profiles=PERSON, agent=agent, **options)


def unlock(agent, main_folder):
    assert agent.post("/v1/unlock?profile=main", main_folder.pin).status == 200
    assert agent.children()


def is_locked(agent):
    return agent.profile()["state"] == "locked"


def watches(agent):
    """Whether it has a thread for that."""
    return GOOD in agent.log() or BAD in agent.log()


def test_the_pin_is_gone_before_the_machine_sleeps(begin, login, main_folder):
    agent = begin(shim="C_Finalize:sleep=1000")
    wait_for(login.is_waiting)
    assert login.inhibitors() == f'1 "sleep" "keystay" "PINs that a person gave are forgotten first" "delay" 1000 123456'
    unlock(agent, main_folder)
    login.say_sleep(True)
    wait_for(lambda: not login.is_waiting())
    assert not agent.children() and is_locked(agent)
    assert "profile main is locked: the machine is about to sleep (lock_on_suspend)" in agent.log()
    time.sleep(0.5)
    assert not login.is_waiting()  # until it has woken up


def test_a_token_that_is_there_is_still_served(begin, login, main_folder):
    agent = begin()
    wait_for(login.is_waiting)
    unlock(agent, main_folder)
    first = agent.token()
    login.say_sleep(True)
    wait_for(lambda: is_locked(agent))
    assert agent.token() == first


def test_each_time_anew(begin, login, main_folder):
    agent = begin()
    wait_for(login.is_waiting)
    before = descriptors(agent)
    for _ in range(3):
        unlock(agent, main_folder)
        login.say_sleep(True)
        wait_for(lambda: not login.is_waiting())
        assert is_locked(agent)
        login.say_sleep(False)
        wait_for(login.is_waiting)
    wait_for(lambda: descriptors(agent) <= before)
    assert agent.log().count(GOOD) == 1 and BAD not in agent.log()


def test_its_processes_do_not_hold_up_the_machine(begin, login, start):
    """A signer that nobody locks, since it needs nobody, has no copy of the descriptor."""
    agent = start(env=login._bus.environment(), profiles={"main": {}}, agent=ON)
    wait_for(login.is_waiting)
    agent.token()
    login.say_sleep(True)
    wait_for(lambda: not login.is_waiting())
    assert agent.children() and agent.profile()["state"] == "ready"


def test_what_is_being_unlocked_is_locked_too(begin, login, main_folder):
    agent = begin(shim="C_Login:sleep=2500")
    wait_for(login.is_waiting)
    connection = agent.connection()
    connection.request("POST", "/v1/unlock?profile=main", body=main_folder.pin)
    wait_for(agent.children)
    login.say_sleep(True)
    wait_for(lambda: not login.is_waiting())
    assert not agent.children() and is_locked(agent)
    assert connection.getresponse().status != 200


def test_a_signature_is_waited_for(begin, login, main_folder):
    agent = begin(shim="C_Sign:sleep=1500")
    wait_for(login.is_waiting)
    unlock(agent, main_folder)
    connection = agent.connection()
    connection.request("GET", "/v1/token?profile=main")
    wait_for(lambda: "C_Sign" in agent.calls())
    login.say_sleep(True)
    wait_for(lambda: not login.is_waiting())
    assert not agent.children() and is_locked(agent)
    assert connection.getresponse().status == 200


def test_a_module_that_hangs_does_not_keep_the_machine_awake(begin, login, main_folder):
    agent = begin(shim="C_Sign:sleep=15000")
    wait_for(login.is_waiting)
    unlock(agent, main_folder)
    connection = agent.connection()
    connection.request("GET", "/v1/token?profile=main")
    wait_for(lambda: "C_Sign" in agent.calls())
    began = time.monotonic()
    login.say_sleep(True)
    wait_for(lambda: not login.is_waiting())
    assert 3 < time.monotonic() - began < 13
    assert "goes to sleep before its signer has ended" in agent.log() and is_locked(agent)
    wait_for(lambda: not agent.children())


def test_nobody_unlocked_anything(begin, login):
    agent = begin()
    wait_for(login.is_waiting)
    login.say_sleep(True)
    wait_for(lambda: not login.is_waiting())
    assert "is locked" not in agent.log()


def test_it_is_for_those_who_want_it(begin, login, main_folder):
    agent = begin(agent={})
    unlock(agent, main_folder)
    time.sleep(2.5)
    assert not login.is_waiting() and not watches(agent)
    login.say_sleep(True)
    time.sleep(0.5)
    assert agent.profile()["state"] == "ready"


def test_a_reload_may_want_it_or_not(begin, login, main_folder):
    agent = begin(agent={})
    for wanted in ("yes", "no", "yes"):
        agent.write_config(PERSON, {"lock_on_suspend": wanted})
        agent.reload()
        wait_for(lambda: login.is_waiting() == (wanted == "yes"))
    unlock(agent, main_folder)
    login.say_sleep(True)
    wait_for(lambda: is_locked(agent))


def test_logind_is_started_anew(begin, login, main_folder):
    agent = begin()
    wait_for(login.is_waiting)
    login.end()
    wait_for(lambda: "systemd-logind has ended" in agent.log())
    login.begin()
    wait_for(login.is_waiting)
    unlock(agent, main_folder)
    login.say_sleep(True)
    wait_for(lambda: is_locked(agent))
    assert (agent.log().count(BAD), agent.log().count(GOOD)) == (1, 2)


def test_logind_comes_late(begin, bus, main_folder):
    agent = begin()
    wait_for(lambda: BAD in agent.log())
    with Login(bus) as login:
        wait_for(login.is_waiting)
        unlock(agent, main_folder)
        login.say_sleep(True)
        wait_for(lambda: is_locked(agent))


def test_the_bus_dies_and_comes_back(begin, bus, main_folder):
    with Login(bus) as login:
        agent = begin()
        wait_for(login.is_waiting)
        before = descriptors(agent)
        bus.end()
        wait_for(lambda: BAD in agent.log())
        wait_for(lambda: descriptors(agent) < before)
    unlock(agent, main_folder)
    assert agent.token()
    bus.begin()
    with Login(bus) as login:
        wait_for(login.is_waiting)
        login.say_sleep(True)
        wait_for(lambda: is_locked(agent))
    assert agent.log().count(GOOD) == 2


def test_no_bus_at_all_is_said_once(start, main_folder):
    agent = start(env={"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent/bus"}, profiles=PERSON, agent=ON)
    wait_for(lambda: BAD in agent.log())
    time.sleep(4)  # it has tried three times
    assert agent.log().count(BAD) == 1 and "No such file" in agent.log()
    unlock(agent, main_folder)
    assert agent.token()


def test_a_bus_that_says_nothing_holds_up_nobody(begin, bus, main_folder):
    bus.stop_answering()
    agent = begin()
    time.sleep(1.5)
    unlock(agent, main_folder)
    began = time.monotonic()
    assert agent.token() and agent.get("/healthz").status == 200
    agent.process.send_signal(signal.SIGTERM)
    assert agent.process.wait(timeout=20) == 0 and time.monotonic() - began < 20


def test_it_costs_little(begin, login):
    agent = begin()
    wait_for(login.is_waiting)
    if not is_under_sanitizer():
        assert rss_anon_kb(agent) <= RSS_LEAST_KB


@pytest.mark.parametrize("kind", ["system", "user"])
def test_its_unit_lets_it(begin, login, main_folder, folder_of, kind):  # noqa: F811
    unit = folder_of(kind) / "keystay-agent.service"
    agent = begin(launcher=lambda _: [sys.executable, test_service.CONFINE, str(unit)])
    wait_for(login.is_waiting)
    unlock(agent, main_folder)
    login.say_sleep(True)
    wait_for(lambda: not login.is_waiting())
    assert is_locked(agent) and not agent.children()
