# SPDX-License-Identifier: Apache-2.0
"""What happens to a program that is logged in: the card reset by another program, pulled out, taken for itself.

Each test keeps one module open over the event, as a daemon would, and writes down what the two modules return.
"""

import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

import cryptoki
from cryptoki import (CONTEXT_SPECIFIC, DEVICE_ERROR, DEVICE_REMOVED, FUNCTION_FAILED, FUNCTION_NOT_SUPPORTED,
                      GENERAL_ERROR, OK, OPERATION_ACTIVE, PIN_INCORRECT, PIN_LOCKED, USER_NOT_LOGGED_IN, Module)

OPENSC, YKCS11 = "opensc", "ykcs11"
BOTH = pytest.mark.parametrize("name", (OPENSC, YKCS11))
PIV_9A, PIV_9C, PIV_9E = 1, 2, 4
DATA = b"a claim that a server will believe"
FAST_S = 1
TOUCH_TIMEOUT_MS = 1100
NEWER = {OPENSC: (0, 26), YKCS11: (2, 71)}  # from where on they answer otherwise than in Debian 12


@pytest.fixture
def module(card, name):
    with Module(card.modules[name]) as module:
        yield module


@pytest.fixture
def verify(card):
    def check(slot, signature):
        certificate = x509.load_pem_x509_certificate(card.certificate_pem(slot))
        certificate.public_key().verify(signature, DATA, padding.PKCS1v15(), hashes.SHA256())
    return check


@pytest.fixture
def is_newer(module, name):
    return module.library_version() >= NEWER[name]


def logged_in(card, module, key_id=PIV_9A):
    """A session with the key's handle."""
    assert (module.open(), module.login(card.pin)) == (OK, OK)
    return module.find(key_id)[0]


@BOTH
def test_a_session_signs_again_and_again(card, module, verify):
    key = logged_in(card, module)
    for _ in range(3):
        value, signature = module.sign_once(key, DATA)
        assert value == OK
        verify("9a", signature)
    assert card.control.counters()["verifies"] == 1


@BOTH
def test_9e_without_login(card, module, name, verify):
    assert module.open() == OK
    keys = module.find(PIV_9E)
    assert len(keys) == {OPENSC: 1, YKCS11: 0}[name]
    if keys:
        verify("9e", module.sign_once(keys[0], DATA)[1])
        assert card.control.counters()["verifies"] == 0


# A key that wants the PIN each time

@BOTH
def test_9c_wants_the_pin_before_each_signature(card, module, verify):
    key = logged_in(card, module, PIV_9C)
    for _ in range(2):
        assert module.sign_init(key) == OK
        assert module.login(card.pin, CONTEXT_SPECIFIC) == OK
        value, signature = module.sign(DATA)
        assert value == OK
        verify("9c", signature)


@BOTH
def test_9c_without_the_pin_is_not_logged_in(card, module):
    key = logged_in(card, module, PIV_9C)
    assert module.sign_init(key) == OK
    assert module.login(card.pin, CONTEXT_SPECIFIC) == OK
    assert module.sign(DATA)[0] == OK
    assert module.sign_once(key, DATA)[0] == USER_NOT_LOGGED_IN


@BOTH
def test_9c_a_wrong_pin_costs_one_try_and_the_login_of_all_keys(card, module):
    """The card forgets the right PIN with a wrong one (SP 800-73-4 part 2, §3.2.1), and the operation stays open."""
    key = logged_in(card, module, PIV_9C)
    other = module.find(PIV_9A)[0]
    assert module.sign_init(key) == OK
    assert module.login("654321", CONTEXT_SPECIFIC) == PIN_INCORRECT
    assert card.control.status()["pin_left"] == 2
    assert module.sign_init(key) == OPERATION_ACTIVE
    assert module.sign(DATA)[0] == USER_NOT_LOGGED_IN
    assert module.sign_once(other, DATA)[0] == USER_NOT_LOGGED_IN
    module.close_all()
    assert module.sign_once(logged_in(card, module), DATA)[0] == OK


# Another program

@BOTH
def test_a_reset_takes_opensc_its_login_at_once(card, module, name):
    """Yubico's module shows the card the PIN again, from a copy that it keeps."""
    key = logged_in(card, module)
    card.control.intrude("reset")
    started = time.monotonic()
    value, _ = module.sign_once(key, DATA)
    assert time.monotonic() - started < FAST_S
    assert value == {OPENSC: USER_NOT_LOGGED_IN, YKCS11: OK}[name]


@BOTH
def test_another_application_selected_takes_both_the_card(card, module, name, is_newer):
    """Without a reset Yubico's module does not notice, and does not select its own again until it is finalised."""
    key = logged_in(card, module)
    lost = FUNCTION_NOT_SUPPORTED if is_newer else DEVICE_ERROR
    card.control.intrude("select")
    assert module.sign_once(key, DATA)[0] == {OPENSC: USER_NOT_LOGGED_IN, YKCS11: lost}[name]
    module.close_all()
    assert module.open() == OK
    assert module.login(card.pin) == {OPENSC: OK, YKCS11: lost}[name]


@BOTH
def test_after_a_reset_a_new_session_is_enough(card, module):
    logged_in(card, module)
    card.control.intrude("reset")
    module.close_all()
    assert module.sign_once(logged_in(card, module), DATA)[0] == OK


# The card is gone

@BOTH
def test_pulled_out_and_put_back(card, module, name, is_newer):
    key = logged_in(card, module)
    card.control.remove()
    assert module.sign_once(key, DATA)[0] == {
        OPENSC: DEVICE_REMOVED, YKCS11: DEVICE_REMOVED if is_newer else DEVICE_ERROR}[name]
    card.control.insert()
    assert (module.sign_once(key, DATA)[0] == OK) == (name == YKCS11 and is_newer)
    module.close_all()
    assert module.sign_once(logged_in(card, module), DATA)[0] == OK


@BOTH
def test_pulled_out_during_a_signature(card, module, name, is_newer):
    key = logged_in(card, module)
    card.control.yank_next_signature()
    assert module.sign_once(key, DATA)[0] == {
        OPENSC: GENERAL_ERROR, YKCS11: FUNCTION_FAILED if is_newer else DEVICE_ERROR}[name]


@BOTH
def test_pcscd_restarted(card, module, name, is_newer):
    """Newer, Yubico's module finds it again and shows the card the PIN by itself."""
    key = logged_in(card, module)
    card.control.pcscd("restart")
    assert (module.sign_once(key, DATA)[0] == OK) == (name == YKCS11 and is_newer)


# Touch

@BOTH
def test_no_touch_is_slow_where_a_lost_login_is_fast(card, module):
    key = logged_in(card, module)
    card.control.touch_never("9a", timeout_ms=TOUCH_TIMEOUT_MS)
    started = time.monotonic()
    assert module.sign_once(key, DATA)[0] == USER_NOT_LOGGED_IN
    assert time.monotonic() - started >= TOUCH_TIMEOUT_MS / 1000
    card.control.touch_off("9a")
    assert module.sign_once(key, DATA)[0] == OK


# Smaller differences

def flags(module):
    known = {"low": cryptoki.COUNT_LOW, "final": cryptoki.FINAL_TRY, "locked": cryptoki.LOCKED}
    return [name for name, flag in known.items() if module.token_flags() & flag]


@BOTH
def test_opensc_does_not_say_that_a_try_is_spent(card, module, name):
    assert module.open() == OK
    seen = [(module.login("654321"), flags(module)) for _ in range(3)]
    assert seen == [(PIN_INCORRECT, [] if name == OPENSC else ["low"]), (PIN_INCORRECT, ["final"]),
                    (PIN_INCORRECT, ["locked"])]
    assert module.login(card.pin) == PIN_LOCKED


@BOTH
def test_the_flags_are_as_old_as_the_login(card, module, name):
    """A process that is logged in does not see what others do to the counter; OpenSC, from 0.25 on, takes it for used up."""
    takes_for_locked = name == OPENSC and module.library_version() >= (0, 25)
    logged_in(card, module)
    card.control.set_pin_tries(1)
    assert flags(module) == (["locked"] if takes_for_locked else [])


@BOTH
def test_a_short_pin_costs_a_try_through_opensc_only(card, module, name):
    assert module.open() == OK
    module.login("12345")
    assert card.control.status()["pin_left"] == {OPENSC: 2, YKCS11: 3}[name]


@BOTH
def test_older_opensc_repeats_a_command_that_failed(card, module, name, is_newer):
    key = logged_in(card, module)
    card.control.next_status("6F00", ins="87")
    assert module.sign_once(key, DATA)[0] == {
        OPENSC: GENERAL_ERROR if is_newer else OK, YKCS11: FUNCTION_FAILED if is_newer else DEVICE_ERROR}[name]
