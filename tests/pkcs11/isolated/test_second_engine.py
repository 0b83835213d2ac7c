# SPDX-License-Identifier: Apache-2.0
"""libp11 in the process that it is for: what it cannot do ends at the deadline."""

import time

import pytest

BOUND_S = 30


@pytest.fixture
def libp11(at, main_folder):
    return at(main_folder, engine="libp11")


def test_it_signs_and_is_replaced(libp11):
    process = libp11.start()
    libp11.assert_signed(process.sign(), 1)
    libp11.kill_signer(process)
    libp11.assert_signed(process.sign(), 2)


def test_a_session_that_cannot_be_opened_is_an_error(libp11):
    """libp11 0.4.12 waits for ever for a session of its own; later ones answer."""
    started = time.monotonic()
    answer = libp11.refusal("C_OpenSession=0x32@2+", timeout=1)
    assert answer.status in ("module_timeout", "module"), answer
    assert answer.status == "module" or "within 1 s" in answer.message, answer
    assert time.monotonic() - started < BOUND_S


@pytest.mark.parametrize("call", ("C_SignInit", "C_Sign"))
def test_the_signature_after_one_that_hung_is_made(libp11, call):
    process = libp11.start(f"{call}:hang", once=True, timeout=1)
    answer = process.sign()
    assert answer.status == "module_timeout" and "did not return from" in answer.message, answer
    libp11.assert_signed(process.sign(), 2)
