# SPDX-License-Identifier: Apache-2.0
"""A process that goes and comes back: nothing is lost, nothing piles up, nothing spins."""

import concurrent.futures
import math
import os
import signal
import time

import pytest
from isolated import children_of, is_running, is_sanitized, memory_kib, n_descriptors, sanitizer_options, until

THREADS, SIGNATURES, KILLS = 64, 1920, 5
CROWD = 200  # more than src/signerd/serve.h has workers
ROUNDS, PER_ROUND = 100, 100
WARM_ROUNDS = 5
GROWN_KIB_MAX = 512
SANITIZED_GROWN_KIB_MAX = 8192  # what was freed is kept, to see whether it is used again
FIRST_WAIT_S, IMPATIENT_S, ASKED = 0.1, 1, 6
GONE_WITHIN_S = 20
PATIENCE_S = 120


@pytest.mark.parametrize("fault", ("", "C_Sign:hang"), ids=("idle", "in a call that hangs"))
def test_it_goes_when_its_program_is_killed(isolated, fault):
    process = isolated.start(fault)
    signer = isolated.signer_of(process)
    if fault:
        process.ask()
        until(lambda: isolated.calls()["C_Sign"])
    process.kill()
    until(lambda: not is_running(signer), GONE_WITHIN_S)


def test_it_goes_when_its_program_ends(isolated):
    process = isolated.start()
    signer = isolated.signer_of(process)
    process.stop()
    assert not is_running(signer)
    assert isolated.calls()["C_Finalize"] == 1


def test_many_callers_during_a_respawn(isolated):
    """None is lost, no number comes twice."""
    process = isolated.start(threads=THREADS, signatures=SIGNATURES, sessions=8)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reading = pool.submit(process.all)  # or it would wait for a reader
        for kill in range(KILLS):
            # Each life serves all who wait: a signature that meets two ends in a row fails, and says so.
            until(lambda: isolated.calls()["C_Sign"] > 2 * THREADS * (kill + 1), PATIENCE_S)
            for signer in children_of(process.pid):
                os.kill(signer, signal.SIGKILL)
        answers = reading.result()
    for answer in answers[:THREADS]:
        isolated.assert_signed(answer)
    signed = [answer.jws for answer in answers if answer.jws is not None]
    assert len(signed) == len(set(signed)) == SIGNATURES
    assert process.log().count("ended") >= 1


def test_more_callers_than_there_are_workers(isolated):
    """Who finds none free waits for one; the process is not blamed, and nothing is lost."""
    process = isolated.start("C_Sign:sleep=20", threads=CROWD, signatures=2 * CROWD, sessions=CROWD)
    answers = process.all()
    assert len({answer.jws for answer in answers if answer.jws is not None}) == 2 * CROWD
    assert "ended" not in process.log()


def test_callers_who_wait_do_not_end_what_is_new(isolated):
    """All of them wait for one that hangs while it opens the key; then the time of each has passed."""
    waiting = isolated.set_harmed()
    process = isolated.start("C_Initialize:hang", once=True, timeout=1, threads=16, signatures=SIGNATURES)
    time.sleep(0.1)
    os.remove(waiting)
    isolated.kill_signer(process)
    signed = [answer.jws for answer in process.all() if answer.jws is not None]
    assert isolated.has_harmed() and len(set(signed)) == SIGNATURES
    assert isolated.calls()["C_Initialize"] == 3  # the first, the one that hung, the one after it


def test_ten_thousand_signatures_and_a_hundred_deaths(at, ec_folder):
    """A death between two signatures costs none of them; descriptors and memory stay level on both sides."""
    isolated = at(ec_folder)
    little = sanitizer_options("quarantine_size_mb=1:thread_local_quarantine_size_kb=64")
    grown_kib_max = SANITIZED_GROWN_KIB_MAX if is_sanitized() else GROWN_KIB_MAX
    process = isolated.start(alg="ES256", env=little)
    levels, number = [], 0
    for _ in range(ROUNDS):
        process.ask(times=PER_ROUND)
        for _ in range(PER_ROUND):
            number += 1
            answer = process.answer()
            assert answer.jws is not None, (number, answer)
        isolated.assert_signed(answer, number)
        signer = isolated.signer_of(process)
        levels.append([of(pid) for pid in (process.pid, signer) for of in (n_descriptors, memory_kib)])
        isolated.kill_signer(process)
    assert number == ROUNDS * PER_ROUND and isolated.calls()["C_Login"] == ROUNDS
    ours_open, ours_kib, theirs_open, theirs_kib = zip(*levels[WARM_ROUNDS:])
    assert set(ours_open) == {ours_open[0]} and set(theirs_open) == {theirs_open[0]}, (ours_open, theirs_open)
    assert max(ours_kib) - ours_kib[0] < grown_kib_max, ours_kib
    assert max(theirs_kib) - min(theirs_kib) < grown_kib_max, theirs_kib


def test_what_crashes_each_time_is_started_later_and_later(isolated):
    process = isolated.start("C_Sign:crash", timeout=IMPATIENT_S)
    started = time.monotonic()
    answers = [process.sign() for _ in range(ASKED)]
    elapsed = time.monotonic() - started
    assert {answer.status for answer in answers} == {"module"}, answers
    assert "times in a row" in answers[-1].message and answers[-1].seconds < IMPATIENT_S, answers
    # Twice at once, then after 0.1 s, 0.2 s, 0.4 s and so on; one was there before.
    assert isolated.calls()["C_GetFunctionList"] <= 4 + math.log2(elapsed / FIRST_WAIT_S + 1)


def test_what_crashes_when_it_is_loaded_is_given_up(isolated):
    answer = isolated.refusal("C_GetFunctionList:crash")
    assert answer.status == "module" and "ended (signal 11)" in answer.message, answer
    assert isolated.calls()["C_GetFunctionList"] <= 3
