# SPDX-License-Identifier: Apache-2.0
"""The card comes and goes while the module is in a process of its own: it recovers as in ours (test_recovery.py)."""

import os
import signal
import subprocess
import time

import pytest

import signed
import test_recovery
from program import Held, Program
from test_recovery import BOTH, QUICK_S, no_try_was_lost, pcscd_restarted, removed_and_inserted, reset_by_another

SIGNER = os.environ.get("SIGNER", "")


@pytest.fixture
def hold(card, built, tmp_path):
    engine = os.environ.get("HOLD_ENGINE")
    return lambda module, slot="9a", **options: Held(card, module, tmp_path, slot, engine=engine, isolate=SIGNER,
                                                     **options)


@pytest.fixture
def check(certificate):
    def check(held, slot="9a"):
        header, _ = signed.read(held.sign(), certificate(slot))
        assert header["x5t#S256"] == signed.sha256(certificate(slot))
    return check


@BOTH
def test_the_program_signs(card, built, certificate, module, tmp_path):
    result = Program(card, module, tmp_path).sign(isolate=True, signer_program=SIGNER)
    signed.read(result.token, certificate("9a"))


@BOTH
@pytest.mark.parametrize("event", (removed_and_inserted, reset_by_another, pcscd_restarted),
                         ids=lambda event: event.__name__)
def test_the_next_signature_succeeds(card, hold, check, module, event):
    test_recovery.test_the_next_signature_succeeds(card, hold, check, module, "9a", event)


@BOTH
def test_a_key_that_wants_the_pin_each_time(card, hold, check, module):
    """It is asked for over the wire within the signature."""
    test_recovery.test_the_next_signature_succeeds(card, hold, check, module, "9c", removed_and_inserted)


@BOTH
def test_while_the_card_is_out_it_says_so_and_then_goes_on(card, hold, check, module):
    test_recovery.test_while_the_card_is_out_it_says_so_and_then_goes_on(card, hold, check, module, "9a")


@BOTH
def test_pulled_out_during_a_signature(card, hold, check, module):
    test_recovery.test_pulled_out_during_a_signature(card, hold, check, module, "9a")


@BOTH
def test_a_process_that_is_killed_is_replaced_with_the_logins_of_an_opening(card, hold, check, module):
    with hold(module) as held:
        check(held)
        opening = card.control.counters()["verifies"]  # the second engine takes two
        card.control.counters(reset=True)
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(held.pid)], capture_output=True, text=True, check=True)
        os.kill(int(found.stdout), signal.SIGKILL)
        started = time.monotonic()
        check(held)
        assert time.monotonic() - started < QUICK_S
        assert card.control.counters()["verifies"] == opening and no_try_was_lost(card)
