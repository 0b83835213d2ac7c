# SPDX-License-Identifier: Apache-2.0
"""The program on a PIV card, through OpenSC's module and Yubico's: every slot, the PIN and its counter, the touch, the
card that is not there.

What the card counts is what counts here: how often it was shown a PIN, how often a wrong one. What the modules
themselves do is in test_piv.py and test_sessions.py.
"""

import concurrent.futures
import contextlib
import datetime
import json
import os
import pty
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

import fixture
import keys
import signed
from cli import refused
from program import IDS, key_uri, write_pin, write_pins
from terminal import Terminal

OPENSC, YKCS11 = "opensc", "ykcs11"
BOTH = pytest.mark.parametrize("module", (OPENSC, YKCS11))
WRONG = "654321"
AT_ONCE = 6
TOUCH_HINT = "keystay: if the key waits for a touch, touch it now\r\n"
TOUCH_MS = 1500
NO_TOUCH_MS = 1100  # how long the card waits; OpenSC asks it twice
QUICK_S = 20  # when the card is not there, or the touch does not come


@pytest.fixture
def check(certificate):
    """The result is an assertion, signed with the slot's key, and says so with the slot's certificate."""
    def check(result, slot="9a", alg=None):
        header, claims = signed.read(result.token, certificate(slot))
        assert header["x5t#S256"] == signed.sha256(certificate(slot))
        assert alg in (None, header["alg"])
        return claims
    return check


def shown(card):
    """How often the card was shown a PIN, and how often a wrong one."""
    counters = card.control.counters()
    return counters["verifies"], counters["failed_verifies"]


def at_once(number, run):
    with concurrent.futures.ThreadPoolExecutor(number) as pool:
        return [result.result() for result in [pool.submit(run) for _ in range(number)]]


def tries_left(card):
    return card.control.status()["pin_left"]


# Slots and algorithms

@BOTH
@pytest.mark.parametrize("slot, alg", [("9a", "RS256"), ("9a", "PS256"), ("9c", "PS256"), ("9e", "RS256")])
def test_an_rsa_key_signs(card, keystay, check, module, slot, alg):
    claims = check(keystay(module).sign(slot, alg=alg), slot, alg)
    assert claims["aud"] == "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"
    assert shown(card) == (2 if slot == "9c" else 1, 0)
    assert card.control.counters()["signatures"] == 1


@pytest.mark.parametrize("alg", ["RS384", "RS512", "PS384", "PS512"])
@BOTH
def test_the_other_hashes(keystay, check, module, alg):
    check(keystay(module).sign(alg=alg), alg=alg)


def test_the_attestation_of_the_key_is_not_its_certificate(card, keystay, check):
    """Yubico's module lists one more certificate with the key's id and public key; servers know the other one."""
    check(keystay(YKCS11).sign())
    card.control.attestation(False)
    check(keystay(YKCS11).sign())


def test_9d_signs_with_yubicos_module(card, keystay, check):
    check(keystay(YKCS11).sign("9d", alg="ES256"), "9d", "ES256")
    assert shown(card) == (1, 0)


def test_9d_is_for_agreement_with_opensc(card, keystay):
    refused(keystay(OPENSC).sign("9d", alg="ES256"), 3, "may not sign", "CKA_SIGN")
    assert card.control.counters()["signatures"] == 0


def piv_tool(card, *arguments, stdin=None):
    return subprocess.run(["yubico-piv-tool", *arguments], input=stdin, env=card.environment(), check=True,
                          capture_output=True).stdout


def certified(public):
    """A certificate for the key, from an authority that nobody asks about."""
    authority, today = keys.generate(keys.EC_P256), datetime.datetime.now()
    name = fixture.name("Made on the card")
    return (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(public).serial_number(1)
            .not_valid_before(today - datetime.timedelta(days=2)).not_valid_after(today + datetime.timedelta(days=2))
            .add_extension(x509.KeyUsage(True, *[False] * 8), critical=True).sign(authority, hashes.SHA256()))


@BOTH
@pytest.mark.parametrize("kind, alg", [("ECCP256", "ES256"), ("ECCP384", "ES384")])
def test_a_curve_in_9a(card, keystay, module, kind, alg):
    """Made on the card and certified, as its owner would."""
    public = piv_tool(card, "-a", "generate", "-s", "9a", "-A", kind)
    issued = certified(load_pem_public_key(public))
    piv_tool(card, "-a", "import-certificate", "-s", "9a", stdin=issued.public_bytes(Encoding.PEM))
    header, _ = signed.read(keystay(module).sign(alg=alg, require="generated-on-token").token, issued)
    assert header["alg"] == alg


# The PIN of each signature, and of none

@BOTH
def test_9c_asks_the_source_again(card, keystay, check, module, tmp_path):
    source, asked = write_pins(tmp_path, card.pin)
    check(keystay(module).sign("9c", pin_source=source), "9c")
    assert asked() == 2 and shown(card) == (2, 0)


@BOTH
def test_9c_takes_the_login_pin_where_that_is_wanted(card, keystay, check, module, tmp_path):
    source, asked = write_pins(tmp_path, card.pin, WRONG)
    check(keystay(module).sign("9c", pin_source=source, pin_reuse=True), "9c")
    assert asked() == 1 and shown(card) == (2, 0)


@BOTH
def test_9c_from_a_source_that_gives_it_once(card, keystay, check, module, tmp_path):
    with open(write_pin(tmp_path, card.pin).removeprefix("file:"), "rb") as file:
        number = file.fileno()
        check(keystay(module).sign("9c", pin_source=f"fd:{number}", popen={"pass_fds": (number,)}), "9c")
    assert shown(card) == (2, 0)


@BOTH
def test_9c_asks_the_person_twice(card, keystay, check, module):
    program = keystay(module)
    arguments = program.arguments("assertion", key=key_uri("9c"), pin_source="tty")
    with Terminal(arguments, program.environment()) as person:
        person.wait_for_question()
        person.type(card.pin + "\n")
        person.wait_for(lambda: b"once more" in person.shown)
        person.wait_for_question()
        person.type(card.pin + "\n")
        status, out, err = person.finish()
    assert (status, err) == (0, "") and out.startswith("eyJ")
    assert shown(card) == (2, 0)


@BOTH
def test_9c_with_a_wrong_pin_costs_one_try(card, keystay, module, tmp_path):
    refused(keystay(module).sign("9c", pin_source=write_pin(tmp_path, WRONG, "wrong")), 8, "CKR_PIN_INCORRECT")
    assert shown(card) == (1, 1) and tries_left(card) == 2


@BOTH
def test_9c_with_a_pin_that_is_wrong_the_second_time(card, keystay, check, module, tmp_path):
    source, asked = write_pins(tmp_path, card.pin, WRONG)
    refused(keystay(module).sign("9c", pin_source=source), 8, "context specific", "CKR_PIN_INCORRECT")
    assert asked() == 2 and shown(card) == (2, 1) and tries_left(card) == 2
    check(keystay(module).sign("9c", pin_count_low="try"), "9c")
    assert tries_left(card) == 3


def test_9e_signs_without_a_pin_through_opensc(card, keystay, check):
    check(keystay(OPENSC).sign("9e", login="never", pin_source=None), "9e")
    assert shown(card) == (0, 0)


def test_yubicos_module_shows_no_key_without_a_pin(card, keystay):
    refused(keystay(YKCS11).sign("9e", login="never", pin_source=None), 3, "no private key")
    assert shown(card) == (0, 0)


# The touch

def on_a_terminal(program, **changes):
    """The result, and what stood on the terminal that was its stderr."""
    terminal, its_end = pty.openpty()
    result = program.sign(popen={"stderr": its_end}, **changes)
    os.close(its_end)
    text = b""
    with contextlib.suppress(OSError):  # nobody has the other end any more
        while part := os.read(terminal, 4096):
            text += part
    os.close(terminal)
    return result, text.decode("utf-8")


@BOTH
def test_a_person_is_told_to_touch_the_key(card, keystay, check, module):
    card.control.touch("9a", after_ms=TOUCH_MS)
    result, text = on_a_terminal(keystay(module))
    check(result)
    assert TOUCH_MS / 1000 <= result.seconds < TOUCH_MS / 1000 + QUICK_S
    assert text == TOUCH_HINT


@BOTH
def test_where_no_touch_is_wanted_nothing_is_said(keystay, check, module):
    result, text = on_a_terminal(keystay(module))
    check(result)
    assert text == ""


@BOTH
def test_a_log_is_not_told_to_touch_the_key(card, keystay, check, module):
    card.control.touch("9a", after_ms=700)
    result = keystay(module).sign()
    check(result)
    assert result.err == ""


@BOTH
@pytest.mark.parametrize("slot", ["9a", "9c"])
def test_nobody_touches_the_key(card, keystay, module, slot):
    """Both modules say that nobody is logged in. To log in again would help nothing."""
    card.control.touch_never(slot, timeout_ms=NO_TOUCH_MS)
    result = refused(keystay(module).sign(slot), 4, "the key was not touched in time", hint="touch the key when")
    assert NO_TOUCH_MS / 1000 <= result.seconds < QUICK_S
    assert shown(card) == (2 if slot == "9c" else 1, 0)


@BOTH
def test_a_card_that_waits_for_longer_than_the_person_wants_to(card, keystay, module):
    card.control.touch_never("9a", timeout_ms=30000)
    result = refused(keystay(module).sign(timeout=1), 4, "did not return from C_Sign within 1 s", hint="--timeout")
    assert 1 <= result.seconds < QUICK_S
    card.control.remove()  # which ends the wait
    card.control.insert()


# The PIN and its counter

@BOTH
def test_a_wrong_pin_costs_one_try_once(card, keystay, check, module, tmp_path):
    """A service that is started again and again would lock the card on the third start."""
    program, wrong = keystay(module), write_pin(tmp_path, WRONG, "wrong")
    refused(program.sign(pin_source=wrong), 8, "CKR_PIN_INCORRECT", hint="check the PIN")
    assert shown(card) == (1, 1) and tries_left(card) == 2
    for _ in range(2):
        refused(program.sign(pin_source=wrong), 8, "not sent")
    assert shown(card) == (1, 1)
    check(program.sign(pin_count_low="try"))
    assert tries_left(card) == 3


@BOTH
def test_many_at_once_lose_one_try(card, keystay, module, tmp_path):
    program, wrong = keystay(module), write_pin(tmp_path, WRONG, "wrong")
    for result in at_once(AT_ONCE, lambda: program.sign(pin_source=wrong)):
        refused(result, 8)
    assert shown(card) == (1, 1)


@BOTH
def test_two_keys_of_the_card_lose_one_try(card, keystay, module, tmp_path):
    """The PIN is the card's: what the first key was refused is not tried with the second."""
    wrong = write_pin(tmp_path, WRONG, "wrong")
    refused(keystay(module).sign(pin_source=wrong, extra=["--key", key_uri("9c")]), 8, "--key 1", "--key 2")
    assert shown(card) == (1, 1)


@BOTH
def test_many_at_once_sign(card, keystay, check, module):
    """Each selects the application anew, and another one's login may be gone by that."""
    program = keystay(module)
    for result in at_once(AT_ONCE, program.sign):
        check(result)
    assert shown(card)[1] == 0


@BOTH
def test_forgotten_a_refused_pin_is_sent_again(card, keystay, module, tmp_path):
    program, wrong = keystay(module), write_pin(tmp_path, WRONG, "wrong")
    refused(program.sign(pin_source=wrong), 8, "CKR_PIN_INCORRECT")
    assert "the refused PIN is forgotten" in program.run("pin", "forget").out
    assert "no refused PIN was remembered" in program.run("pin", "forget").out
    assert shown(card) == (1, 1)
    refused(program.sign(pin_source=wrong, pin_count_low="try"), 8, "CKR_PIN_INCORRECT")
    assert shown(card) == (2, 2)


@BOTH
def test_a_card_that_has_counted_a_wrong_pin(card, keystay, check, module):
    """OpenSC's module does not tell of it."""
    card.control.set_pin_tries(2)
    if module == YKCS11:
        refused(keystay(module).sign(), 8, "counted a wrong PIN", "not sent", hint="--pin-count-low try")
        assert shown(card) == (0, 0)
    check(keystay(module).sign(pin_count_low="try"))
    assert tries_left(card) == 3


@BOTH
def test_a_card_before_its_last_try(card, keystay, check, module):
    card.control.set_pin_tries(1)
    refused(keystay(module).sign(), 8, "one more wrong PIN locks it", "not sent", hint="--pin-final-try")
    refused(keystay(module).sign(pin_count_low="try"), 8, "one more wrong PIN locks it")
    assert shown(card) == (0, 0)
    check(keystay(module).sign(pin_final_try=True))
    assert tries_left(card) == 3


@BOTH
@pytest.mark.parametrize("tells_at_once", [False, True])
def test_the_last_try_lost(card, keystay, module, tells_at_once, tmp_path):
    card.control.set_pin_tries(1, tells_block_at_once=tells_at_once)
    refused(keystay(module).sign(pin_source=write_pin(tmp_path, WRONG, "wrong"), pin_final_try=True), 8,
            "CKR_PIN_LOCKED" if tells_at_once else "CKR_PIN_INCORRECT")
    refused(keystay(module).sign(pin_final_try=True), 8, "locked", "not sent", hint="PUK")
    assert shown(card) == (1, 1)


@BOTH
def test_a_locked_card(card, keystay, module):
    card.control.set_pin_tries(0)
    refused(keystay(module).sign(), 8, "locked", "not sent", hint="PUK")
    assert shown(card) == (0, 0)


# The card is not there

@BOTH
def test_without_a_card(card, keystay, check, module):
    card.control.remove()
    result = refused(keystay(module).sign(), 4, "no initialised token", hint="plugged in")
    assert result.seconds < QUICK_S
    card.control.insert()
    check(keystay(module).sign())


@BOTH
def test_without_pcscd(card, keystay, module):
    card.control.pcscd("stop")
    result = refused(keystay(module).sign(), 4, hint="pcscd")
    assert result.seconds < QUICK_S


@BOTH
def test_pulled_out_during_the_signature(card, keystay, check, module):
    card.control.yank_next_signature()
    result = refused(keystay(module).sign(), 4, "C_Sign", "CKR_", hint="plugged in")
    assert result.seconds < QUICK_S
    card.control.insert()
    check(keystay(module).sign())
    assert shown(card)[1] == 0


# What is there

@BOTH
def test_the_list_of_keys(card, keystay, module):
    result = keystay(module).run("key", "list")
    assert result.status == 0
    for slot, key_id in IDS.items():
        assert f"key id=%{key_id} " in result.out and f"certificate 'CN=Virtual PIV {slot}'" in result.out
    assert "certificate 'CN=YubiKey PIV Attestation" not in result.out
    assert shown(card) == (1, 0)


@BOTH
def test_the_list_for_programs(keystay, module):
    (listed,) = json.loads(keystay(module).run("key", "list", "--format", "json").out)["modules"]
    (token,) = listed["tokens"]
    keys_by_id = {key["id"].removeprefix("%"): key for key in token["keys"]}
    for slot, key_id in IDS.items():
        assert keys_by_id[key_id]["certificate"]["subject"] == f"CN=Virtual PIV {slot}"
        assert keys_by_id[key_id]["always_authenticate"] == (slot == "9c")


@BOTH
def test_the_list_without_a_pin(card, keystay, module):
    result = keystay(module).run("key", "list", pin_source=None)
    assert result.status == 0
    assert ("CARD AUTH key" in result.out) == (module == OPENSC)  # 9E, which wants none
    assert ("--pin-source" in result.out) == (module == YKCS11)
    assert shown(card) == (0, 0)


@BOTH
def test_the_list_warns_of_the_last_try(card, keystay, module):
    card.control.set_pin_tries(1)
    assert "one try left" in keystay(module).run("key", "list", pin_source=None).out


@BOTH
def test_a_key_shown_says_when_it_wants_the_pin(keystay, module):
    shows = {slot: keystay(module).run("key", "show", key=key_uri(slot)).out for slot in ("9a", "9c")}
    assert "PIN: once" in shows["9a"] and "PIN: for each signature" in shows["9c"]


# The doctor

@BOTH
def test_the_doctor_on_a_good_day(card, keystay, module):
    result = keystay(module).run("doctor", "--offline")
    assert (result.status, result.err) == (0, ""), result
    assert "\nfail " not in result.out and "\nwarn " not in result.out
    assert "it signed an assertion" in result.out
    assert shown(card)[1] == 0


@BOTH
def test_the_doctor_without_a_card(card, keystay, module):
    card.control.remove()
    result = keystay(module).run("doctor", "--offline")
    assert result.status == 4 and "\nfail " in result.out and "is a card in" in result.out, result


@BOTH
def test_the_doctor_without_pcscd(card, keystay, module):
    card.control.pcscd("stop")
    result = keystay(module).run("doctor", "--offline")
    assert result.status == 4 and "\nfail " in result.out and "pcscd is not running" in result.out, result


@BOTH
def test_the_doctor_on_a_locked_card(card, keystay, module):
    card.control.set_pin_tries(0)
    result = keystay(module).run("doctor", "--offline")
    assert result.status == 8 and "its PIN is locked" in result.out and "PUK" in result.out, result
    assert shown(card) == (0, 0)


@BOTH
def test_the_doctor_sends_no_pin_unasked(card, keystay, module):
    result = keystay(module).run("doctor", "--offline", pin_source=None)
    assert result.status == 0 and "give --pin-source" in result.out, result
    assert shown(card) == (0, 0)
