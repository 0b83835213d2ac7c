# SPDX-License-Identifier: Apache-2.0
"""The libp11 engine on a module that misbehaves (../shim_rules.h): what it recovers from, what it says, what it costs.

Opening it logs in twice: to settle, and for libp11 itself.
"""

import collections
import os

import pytest
import signed
from hold import refusal
from token_under_test import KEYS, LIBP11_ANSWERS_SINCE, MODULE, PIN_FILE, libp11_version

pytestmark = pytest.mark.wants("softhsm")

SHIM = os.environ.get("SHIM", "")
KEY = KEYS[0] if KEYS else None
OPENED = 2  # logins
PATIENCE_S = 8
THREADS, SIGNATURES = 8, 100


@pytest.fixture
def shim(start, tmp_path):
    """shim(fault, ...) starts hold.c on the shim; shim.calls() is what it was called."""
    count = tmp_path / "calls"

    def begin(fault, run=start, **settings):
        env = {"SHIM_MODULE": MODULE, "SHIM_FAULT": fault, "SHIM_COUNT": str(count)}
        return run(KEY, module=SHIM, engine="libp11", env=env, **settings)

    begin.refusal = lambda fault, **settings: begin(
        fault, lambda key, **more: refusal(start.folder, key, **more), **settings)
    begin.calls = lambda: collections.Counter(count.read_text(encoding="ascii").split())
    return begin


def is_signed(answer):
    return answer.jws is not None and bool(signed.read(answer.jws, KEY.certificate))


@pytest.mark.parametrize("code", ("0xB3", "0xB0", "0x82", "0x32", "0xE0", "0x5", "0x30", "0x101", "0x90"))
def test_what_went_away_is_got_again_with_one_login(shim, code):
    process = shim(f"C_Sign={code}@2")
    assert is_signed(process.sign())
    assert is_signed(process.sign()), process.log()
    assert shim.calls()["C_Login"] == OPENED + 1
    assert is_signed(process.sign())
    assert shim.calls()["C_Login"] == OPENED + 1


def test_a_module_that_was_finalised_is_loaded_again(shim):
    process = shim("C_Sign=0x190@1")
    assert is_signed(process.sign()), process.log()
    assert shim.calls()["C_Initialize"] == 3 and shim.calls()["C_Login"] == OPENED + 1


def test_slots_that_cannot_be_listed_have_the_module_loaded_again(shim):
    """Each engine lists them in two calls."""
    process = shim("C_Sign=0xB3@1 C_GetSlotList=0x30@4")
    assert is_signed(process.sign()), process.log()
    assert shim.calls()["C_Initialize"] == 3


@pytest.mark.parametrize("code, name", (("0x21", "CKR_DATA_LEN_RANGE"), ("0x70", "CKR_MECHANISM_INVALID")))
def test_what_would_fail_again_is_not_tried_again(shim, code, name):
    answer = shim(f"C_Sign={code}").sign()
    assert answer.status != "ok" and f"C_Sign (libp11) failed: {name}" in answer.message
    assert shim.calls()["C_Sign"] == 1 and shim.calls()["C_Login"] == OPENED


def test_a_token_that_stays_away_is_an_error_that_names_it(shim):
    process = shim("C_Sign=0x32")
    for _ in range(2):
        answer = process.sign()
        assert answer.status == "module" and "CKR_DEVICE_REMOVED (0x32)" in answer.message, answer


def test_a_session_lost_under_many_threads_loses_no_signature(shim):
    answers = shim(f"C_Sign=0xB3@{SIGNATURES // 2}", threads=THREADS, signatures=SIGNATURES).all()
    assert sum(is_signed(answer) for answer in answers) == SIGNATURES


def test_a_pin_refused_in_the_second_step_is_remembered(shim):
    """As a PIN that somebody changed between the two."""
    answer = shim.refusal("C_Login=0xA0@2")
    assert answer.status == "pin_incorrect" and "C_Login (libp11) failed: CKR_PIN_INCORRECT" in answer.message
    assert shim.calls()["C_Login"] == 2
    assert shim.refusal("flags-=0x10000").status == "pin_refused"
    assert shim.calls()["C_Login"] == 2


def test_a_pin_error_in_a_recovery_is_the_last_try(shim):
    process = shim("C_Sign=0xB3@1 C_Login=0xA0@3 flags-=0x10000")
    said = [process.sign() for _ in range(3)]
    assert [answer.status for answer in said] == ["pin_incorrect", "pin_refused", "pin_refused"], said
    assert shim.calls()["C_Login"] == OPENED + 1


def test_a_vendors_code_is_taken_for_the_standards(shim):
    """Only the lower bits of it come through libp11; the first step sees all of it."""
    assert shim.refusal("C_Login=0x800000A0").status == "module"
    assert shim.refusal("C_Login=0x800000A0@2").status == "pin_incorrect"


def test_a_key_that_wants_its_pin_each_time_gets_it_each_time(shim):
    """SoftHSM knows no such login: its part is played by CKR_USER_ALREADY_LOGGED_IN, which is success."""
    process = shim("CKA_ALWAYS_AUTHENTICATE=true C_Login=0x100@3+")
    for n in range(1, 4):
        assert is_signed(process.sign()), process.log()
        assert shim.calls()["C_Login"] == OPENED + n


def test_that_pin_is_not_sent_twice_when_it_is_refused(shim):
    process = shim("CKA_ALWAYS_AUTHENTICATE=true C_Login=0xA0@3 flags-=0x10000")
    answer = process.sign()
    assert answer.status == "pin_incorrect" and "C_Sign (libp11) failed: CKR_PIN_INCORRECT" in answer.message
    assert shim.calls()["C_Login"] == OPENED + 1
    assert process.sign().status == "pin_refused"
    assert shim.calls()["C_Login"] == OPENED + 1


def test_that_pin_has_the_length_that_libp11_takes(shim, tmp_path):
    script, asked = tmp_path / "ask.sh", tmp_path / "asked"
    script.write_text(f"mkdir {asked} 2>/dev/null && exec cat {PIN_FILE}\necho {'1' * 33}\n", encoding="ascii")
    process = shim("CKA_ALWAYS_AUTHENTICATE=true", pin_source=f"exec:/bin/sh {script}")
    answer = process.sign()
    assert answer.status == "pin_refused" and "4 to 32 bytes" in answer.message, process.log()
    assert shim.calls()["C_Login"] == OPENED


def test_a_session_that_cannot_be_opened(shim):
    """An old libp11 hangs: ending what does not answer is what the process around it is for."""
    fault = "C_OpenSession=0x32@2+"
    if libp11_version() >= LIBP11_ANSWERS_SINCE:
        assert shim.refusal(fault).status == "module"
        return
    with pytest.raises(AssertionError, match="no answer in"):
        shim(fault, within_s=PATIENCE_S)
    assert shim.calls()["C_OpenSession"] == 2
