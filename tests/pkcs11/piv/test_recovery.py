# SPDX-License-Identifier: Apache-2.0
"""A signer that stays open, as in a daemon, while its card is pulled out, reset, taken by others: the next signature
succeeds, and no recovery ever costs a try of the PIN.

test_sessions.py writes down what the modules say in these cases; here it is what keystay makes of that.
"""

import os
import subprocess
import time

import pytest

import signed
from program import Held, write_pin, write_pins

OPENSC, YKCS11 = "opensc", "ykcs11"
BOTH = pytest.mark.parametrize("module", (OPENSC, YKCS11))
QUICK_S = 20  # a recovery, with pcscd given time to see what happened; not the half minute until the next full climb
NEW_PIN = "246802"


@pytest.fixture
def hold(card, built, tmp_path):
    """With the engine that HOLD_ENGINE names: this file is run with both."""
    engine = os.environ.get("HOLD_ENGINE")
    return lambda module, slot="9a", **options: Held(card, module, tmp_path, slot, engine=engine, **options)


@pytest.fixture
def check(certificate):
    """Signs, and verifies with the slot's certificate."""
    def check(held, slot="9a"):
        header, _ = signed.read(held.sign(), certificate(slot))
        assert header["x5t#S256"] == signed.sha256(certificate(slot))
    return check


def no_try_was_lost(card):
    return card.control.counters()["failed_verifies"] == 0 and card.control.status()["pin_left"] == 3


def removed_and_inserted(control):
    control.remove()
    control.insert()


def reset_by_another(control):
    control.intrude("reset")


def another_application(control):
    control.intrude("select")


def pcscd_restarted(control):
    control.pcscd("restart")


def a_bad_answer(control):
    control.next_status("6F00", ins="87")


CASES = [("9a", event) for event in (removed_and_inserted, reset_by_another, another_application, pcscd_restarted,
                                     a_bad_answer)]
CASES += [("9c", event) for event in (removed_and_inserted, reset_by_another, another_application, a_bad_answer)]
CASES += [("9e", removed_and_inserted)]


@BOTH
@pytest.mark.parametrize("slot, event", CASES, ids=lambda value: getattr(value, "__name__", value))
def test_the_next_signature_succeeds(card, hold, check, module, slot, event):
    """With one login more, and for the signature after that none."""
    of_each = 1 if slot == "9c" else 0  # that key wants the PIN for each signature
    with hold(module, slot) as held:
        check(held, slot)
        card.control.counters(reset=True)
        event(card.control)
        started = time.monotonic()
        check(held, slot)
        assert time.monotonic() - started < QUICK_S
        assert card.control.counters()["verifies"] <= 1 + 2 * of_each  # for what failed, and for what did not
        assert no_try_was_lost(card)
        card.control.counters(reset=True)
        check(held, slot)
        assert card.control.counters()["verifies"] == of_each


@BOTH
def test_again_and_again(card, hold, check, module):
    with hold(module) as held:
        # ykcs11 recovers from another application only by a full climb, and keystay makes one in 30 s at most.
        for event in (removed_and_inserted, reset_by_another, another_application, reset_by_another,
                      pcscd_restarted):
            event(card.control)
            check(held)
    assert no_try_was_lost(card)


@BOTH
@pytest.mark.parametrize("slot", ("9a", "9c"))
def test_while_the_card_is_out_it_says_so_and_then_goes_on(card, hold, check, module, slot):
    with hold(module, slot) as held:
        check(held, slot)
        card.control.remove()
        for _ in range(3):
            started = time.monotonic()
            status, message = held.fail()
            assert status == "token_not_found" or (status == "module" and "CKR_" in message), (status, message)
            assert time.monotonic() - started < QUICK_S
        card.control.insert()
        check(held, slot)
    assert no_try_was_lost(card)


@BOTH
def test_without_pcscd_and_with_it_again(card, hold, check, module):
    with hold(module) as held:
        check(held)
        card.control.pcscd("stop")
        held.fail()
        held.fail()
        card.control.pcscd("start")
        check(held)
    assert no_try_was_lost(card)


@BOTH
@pytest.mark.parametrize("slot", ("9a", "9c"))
def test_pulled_out_during_a_signature(card, hold, check, module, slot):
    """pcscd sees only later that the card is gone; OpenSC, asked before that, hangs in C_Login for ever."""
    with hold(module, slot) as held:
        check(held, slot)
        for _ in range(2):
            card.control.yank_next_signature()
            started = time.monotonic()
            assert held.fail()[0] == "module"
            assert time.monotonic() - started < QUICK_S
            card.control.insert()
            check(held, slot)
    assert no_try_was_lost(card)


@BOTH
def test_put_back_while_the_touch_is_waited_for(card, hold, check, module):
    """The person pulls the key out instead of touching it."""
    with hold(module) as held:
        check(held)
        card.control.touch_never("9a", timeout_ms=5000)
        held.begin()
        time.sleep(0.3)
        card.control.remove()
        assert held.take().startswith("error module ")
        card.control.touch_off("9a")
        card.control.insert()
        check(held)
    assert no_try_was_lost(card)


@BOTH
def test_no_touch_is_not_taken_for_a_lost_login(card, hold, check, module):
    with hold(module) as held:
        check(held)
        card.control.counters(reset=True)
        card.control.touch_never("9a", timeout_ms=1100)
        status, message = held.fail()
        assert status == "module" and "not touched" in message
        assert card.control.counters()["verifies"] == 0
        card.control.touch_off("9a")
        check(held)


@BOTH
@pytest.mark.parametrize("slot", ("9a", "9c"))
def test_a_pin_that_cannot_be_asked_for_again_is_kept(card, hold, check, module, slot, tmp_path):
    """From a descriptor it comes once; the recovery logs in with what was kept."""
    with open(write_pin(tmp_path, card.pin).removeprefix("file:"), "rb") as pin:
        with hold(module, slot, pin_source=f"fd:{pin.fileno()}", pass_fds=(pin.fileno(),)) as held:
            check(held, slot)
            removed_and_inserted(card.control)
            check(held, slot)
    assert no_try_was_lost(card)


@BOTH
def test_a_pin_changed_meanwhile_costs_one_try_and_not_one_a_signature(card, hold, check, module):
    with hold(module) as held:
        check(held)
        subprocess.run(["yubico-piv-tool", "-a", "change-pin", "-P", card.pin, "-N", NEW_PIN], check=True,
                       env=card.environment(), capture_output=True)
        removed_and_inserted(card.control)
        card.control.counters(reset=True)
        said = [held.fail()[0] for _ in range(4)]
        assert said[0] == "pin_incorrect" and set(said[1:]) == {"pin_refused"}, said
        assert card.control.counters()["failed_verifies"] == 1
        assert card.control.status()["pin_left"] == 2


@BOTH
def test_a_wrong_pin_for_one_signature_leaves_the_next_unharmed(card, hold, check, module, tmp_path):
    """9C: the second PIN of the source is the first signature's, and it is wrong."""
    source, _ = write_pins(tmp_path, card.pin, "654321", card.pin)
    with hold(module, "9c", pin_source=source, settings=["pin-count-low=try"]) as held:
        assert held.fail()[0] == "pin_incorrect"
        assert card.control.counters()["failed_verifies"] == 1
        check(held, "9c")
        check(held, "9c")
    assert card.control.counters()["failed_verifies"] == 1
    assert card.control.status()["pin_left"] == 3
