# SPDX-License-Identifier: Apache-2.0
"""A signer process in a stranger's hands: whatever it says ends in one error, soon, and in the end of it."""

import os
import time

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from isolated import HERE, children_of

TIMEOUT_S, BOUND_S = 1, 19
AT_ONCE = ("half a frame", "too long", "no type", "the wrong answer", "a failure that is none")
AT_THE_DEADLINE = ("silence", "log for ever", "slow for ever", "ask for ever", "another exchange", "a request")


@pytest.fixture
def liar(isolated):
    """liar(lie, ...) starts the program with it; liar.refusal(lie) could not."""
    path = isolated.file("certificate.der")
    with open(path, "wb") as file:
        file.write(isolated.folder.certificate().public_bytes(Encoding.DER))

    def settings(lie):
        env = {"LIE": lie, "LIE_CERTIFICATE": path, "LIE_VERSION": os.environ["VERSION"]}
        return {"signer_program": os.path.join(HERE, "liar.py"), "timeout": TIMEOUT_S, "env": env}

    def start(lie):
        return isolated.start(**settings(lie))

    start.refusal = lambda lie: isolated.refusal(**settings(lie))
    return start


def check(answer, status, started):
    assert answer.status == status, answer
    assert time.monotonic() - started < BOUND_S


@pytest.mark.parametrize("lie", AT_ONCE + ("no certificate", "a bad signature"))
def test_nonsense_while_it_is_opened(liar, lie):
    started = time.monotonic()
    check(liar.refusal(f"open: {lie}"), "certificate" if lie == "no certificate" else "module", started)


@pytest.mark.parametrize("lie", AT_THE_DEADLINE)
def test_no_end_while_it_is_opened(liar, lie):
    started = time.monotonic()
    check(liar.refusal(f"open: {lie}"), "module_timeout", started)


@pytest.mark.parametrize("lie", AT_ONCE + ("a length beyond the body", "an endless signature"))
def test_nonsense_instead_of_a_signature(liar, lie):
    process = liar(f"sign: {lie}")
    before = children_of(process.pid, "liar.py")
    started = time.monotonic()
    check(process.sign(), "module", started)
    assert not set(before) & set(children_of(process.pid, "liar.py"))


@pytest.mark.parametrize("lie", AT_THE_DEADLINE)
def test_no_end_instead_of_a_signature(liar, lie):
    process = liar(f"sign: {lie}")
    before = children_of(process.pid, "liar.py")
    started = time.monotonic()
    check(process.sign(), "module_timeout", started)
    assert before and not set(before) & set(children_of(process.pid, "liar.py"))


def test_a_signature_of_another_key_does_not_leave(liar):
    answer = liar("sign: a bad signature").sign()
    assert answer.jws is None and answer.status == "key_mismatch", answer
