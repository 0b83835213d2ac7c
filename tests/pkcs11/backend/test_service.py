# SPDX-License-Identifier: Apache-2.0
"""A signer that stays open, as in a service: many threads, and a far side that dies and comes back."""

import os
import subprocess
import time

import jws
import pytest
import signed
from token_under_test import KEYS

THREADS, SIGNATURES, BEGINNINGS = 8, 200, 8
PATIENCE_S = 3
ANSWER_WITHIN_S = 30
RECOVERED_WITHIN_S = 60  # a full climb of the recovery ladder happens once in 30 s
KEY = KEYS[0] if KEYS else None


def tell_far_side(variable):
    subprocess.run(["sh", "-c", os.environ[variable]], check=True, stdin=subprocess.DEVNULL, timeout=30)


def is_signed(answer, key):
    return answer.jws is not None and bool(signed.read(answer.jws, key.certificate))


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_many_threads_share_one_signer(hold, key):
    answers = hold(key, threads=THREADS, signatures=SIGNATURES, sessions=THREADS).all()
    failed = [answer for answer in answers if answer.jws is None]
    assert len(answers) == SIGNATURES and not failed, (len(answers), len(failed), failed[:3])
    numbers = {signed.read(answer.jws, key.certificate)[1]["jti"] for answer in answers}
    assert numbers == {str(number + 1) for number in range(SIGNATURES)}


def test_the_first_signatures_of_many_threads_meet(hold):
    """What a module cannot do at once shows when the threads begin: each signer begins anew."""
    for _ in range(BEGINNINGS):
        answers = hold(KEY, threads=THREADS, signatures=2 * THREADS, sessions=THREADS).all()
        assert [answer for answer in answers if answer.jws is None] == []


def test_more_threads_than_sessions_wait(hold):
    answers = hold(KEY, threads=THREADS, signatures=SIGNATURES // 4, sessions=2).all()
    assert [answer for answer in answers if answer.jws is None] == []
    assert len({jws.parse(answer.jws).claims["jti"] for answer in answers}) == SIGNATURES // 4


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_lock_is_a_logout_and_the_next_signature_a_login(hold, key):
    process = hold(key)
    assert is_signed(process.sign(), key)
    assert process.sign(what=b"check").jws == "checked"
    assert process.sign(what=b"lock").jws == "locked"
    assert process.sign(what=b"check").jws == "checked", process.log()
    assert process.sign(what=b"lock").jws == "locked"
    assert is_signed(process.sign(), key), process.log()


@pytest.mark.wants("restart")
def test_a_far_side_that_was_replaced_is_found_at_once(steady_hold):
    process = steady_hold(KEY)
    assert is_signed(process.sign(), KEY)
    tell_far_side("P11_RESTART_CMD")
    answer = process.sign()
    assert is_signed(answer, KEY), (answer, process.log())
    assert is_signed(process.sign(), KEY)


@pytest.mark.wants("libp11-waits")
def test_a_far_side_that_was_replaced_makes_some_versions_of_libp11_wait(start):
    """Ending what does not answer is what the process around it is for: test_isolated.py."""
    process = start(KEY, engine="libp11")
    assert is_signed(process.sign(), KEY)
    tell_far_side("P11_RESTART_CMD")
    with pytest.raises(AssertionError, match="no answer in"):
        process.sign(PATIENCE_S)
    process.kill()


@pytest.mark.wants("restart", "threads-survive")
def test_a_far_side_that_is_replaced_under_load(hold):
    """Each call may fail that was on its way; each that comes later is made."""
    process = hold(KEY, threads=THREADS, signatures=2 * SIGNATURES, sessions=THREADS)
    time.sleep(0.1)
    tell_far_side("P11_RESTART_CMD")
    started = time.monotonic()
    answers = process.all()
    numbers = {signed.read(answer.jws, KEY.certificate)[1]["jti"] for answer in answers if answer.jws is not None}
    assert len(numbers) == 2 * SIGNATURES, (len(numbers), [answer for answer in answers if answer.jws is None][:3])
    assert time.monotonic() - started < RECOVERED_WITHIN_S, process.log()


@pytest.mark.wants("restart")
def test_a_far_side_that_is_gone_is_an_error_and_no_more(steady_hold):
    """Some work on without it (openCryptoki's daemon); none may hang or crash, and all come back by themselves."""
    process = steady_hold(KEY)
    assert is_signed(process.sign(), KEY)
    tell_far_side("P11_KILL_CMD")
    for _ in range(2):
        answer = process.sign(ANSWER_WITHIN_S)
        assert is_signed(answer, KEY) or answer.status in ("module", "token_not_found"), answer

    tell_far_side("P11_RESTART_CMD")
    end = time.monotonic() + RECOVERED_WITHIN_S
    answer = process.sign(ANSWER_WITHIN_S)
    while not is_signed(answer, KEY):
        assert time.monotonic() < end, (answer, process.log())
        time.sleep(0.5)
        answer = process.sign(ANSWER_WITHIN_S)
