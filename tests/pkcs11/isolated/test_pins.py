# SPDX-License-Identifier: Apache-2.0
"""A process that is started anew never spends a try of the PIN."""

import os

import pytest

WRONG = "000000"


@pytest.fixture
def fresh(at, fresh_folder):
    return at(fresh_folder)


def write_pin(path, pin):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(pin)
    return f"file:{path}"


def test_a_wrong_pin_and_a_module_that_crashes_upon_it_cost_one_try(fresh):
    """Whoever asks again, in new processes."""
    wrong = write_pin(fresh.file("pin"), WRONG)
    answer = fresh.refusal("C_Login:then-crash", pin_source=wrong)
    assert answer.status == "module" and "ended (signal 11) in C_Login" in answer.message, answer
    for fault in ("C_Login:then-crash", "C_Login:then-crash", ""):
        assert fresh.refusal(fault, pin_source=wrong).status == "pin_refused"
    assert fresh.calls()["C_Login"] == 1


def test_a_pin_that_has_become_wrong_costs_one_try(fresh):
    """The same program asks again and again; each time in a process of its own."""
    process = fresh.start(pin_source=write_pin(fresh.file("pin"), fresh.folder.pin))
    fresh.assert_signed(process.sign())
    write_pin(fresh.file("pin"), WRONG)
    fresh.kill_signer(process)
    answers = [process.sign()]
    for _ in range(3):
        fresh.kill_signer(process)
        answers.append(process.sign())
    assert [answer.status for answer in answers] == ["pin_incorrect"] + 3 * ["pin_refused"], answers
    assert fresh.calls()["C_Login"] == 2  # the good one and that


def test_that_and_a_module_that_crashes_upon_it_cost_one_try_too(fresh):
    fresh.set_harmed()
    process = fresh.start("C_Login:then-crash", once=True, pin_source=write_pin(fresh.file("pin"), fresh.folder.pin))
    fresh.assert_signed(process.sign())
    write_pin(fresh.file("pin"), WRONG)
    os.remove(fresh.set_harmed())
    fresh.kill_signer(process)
    answers = [process.sign() for _ in range(4)]
    assert [answer.status for answer in answers] == ["module"] + 3 * ["pin_refused"], answers
    assert fresh.calls()["C_Login"] == 2


def test_the_right_pin_is_sent_once_for_each_life(fresh):
    process = fresh.start()
    for life in range(1, 4):
        fresh.assert_signed(process.sign())
        assert fresh.calls()["C_Login"] == life
        fresh.kill_signer(process)


def test_a_pin_that_can_be_read_once_survives(fresh):
    ours, theirs = os.pipe()
    os.write(theirs, fresh.folder.pin.encode("ascii"))
    os.close(theirs)
    process = fresh.start(pin_source=f"fd:{ours}", popen={"pass_fds": [ours]})
    os.close(ours)
    for _ in range(3):
        fresh.assert_signed(process.sign())
        fresh.kill_signer(process)
    fresh.assert_signed(process.sign())


def test_a_lock_and_a_death_log_in_again(fresh):
    process = fresh.start()
    assert process.sign(what=b"lock").jws == "locked"
    fresh.kill_signer(process)
    fresh.assert_signed(process.sign())
    assert process.sign(what=b"check").jws == "checked"
