# SPDX-License-Identifier: Apache-2.0
"""What a service needs most, with the module in a process of its own: each engine, on every module."""

import functools
import os
import signal

import pytest
import signed
import test_service
from token_under_test import ENGINES, ENGINES_THAT_COME_BACK, KEYS

PLACE = {"isolate": True, "signer_program": os.environ.get("SIGNER", "")}
KEY = next((key for key in KEYS if key.kind == "EC"), KEYS[0] if KEYS else None)  # NSS takes 60 ms for an RSA signature


@pytest.fixture(params=ENGINES)
def hold(start, request):
    return functools.partial(start, engine=request.param, **PLACE)


@pytest.fixture(params=ENGINES_THAT_COME_BACK)
def steady_hold(start, request):
    return functools.partial(start, engine=request.param, **PLACE)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_the_program_signs(backend, key):
    result = backend.assertion(key, **PLACE)
    assert signed.read(result.token, key.certificate)


@pytest.mark.wants("libp11")
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_the_program_signs_with_the_second_engine(backend, key):
    result = backend.assertion(key, engine="libp11", **PLACE)
    assert signed.read(result.token, key.certificate)


def test_many_threads_share_one_signer(hold):
    test_service.test_many_threads_share_one_signer(hold, KEY)


def test_a_lock_is_a_logout_and_the_next_signature_a_login(hold):
    test_service.test_a_lock_is_a_logout_and_the_next_signature_a_login(hold, KEY)


def test_a_process_that_is_killed_is_replaced(hold):
    process = hold(KEY)
    assert test_service.is_signed(process.sign(), KEY)
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
        signer, = map(int, file.read().split())
    os.kill(signer, signal.SIGKILL)
    assert test_service.is_signed(process.sign(), KEY), process.log()


@pytest.mark.wants("restart")
def test_a_far_side_that_was_replaced_is_found_at_once(steady_hold):
    test_service.test_a_far_side_that_was_replaced_is_found_at_once(steady_hold)


@pytest.mark.wants("restart")
def test_a_far_side_that_is_gone_is_an_error_and_no_more(steady_hold):
    test_service.test_a_far_side_that_is_gone_is_an_error_and_no_more(steady_hold)


@pytest.mark.wants("libp11-waits")
def test_a_far_side_that_libp11_waits_for_is_waited_for_until_the_deadline(start):
    """And the next signature is made, by another process."""
    process = start(KEY, engine="libp11", timeout=test_service.PATIENCE_S, **PLACE)
    assert test_service.is_signed(process.sign(), KEY)
    test_service.tell_far_side("P11_RESTART_CMD")
    answer = process.sign()
    assert answer.status == "module_timeout" and f"within {test_service.PATIENCE_S} s" in answer.message, answer
    assert test_service.is_signed(process.sign(), KEY), process.log()
