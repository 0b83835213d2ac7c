# SPDX-License-Identifier: Apache-2.0
"""--isolate: the module in a process of its own, and nothing else is different."""

import os

import pytest

import signed
from cli import SHIM, refused
from terminal import Terminal

SIGNER = os.environ.get("SIGNER", "")
ISOLATED = {"isolate": True, "signer_program": SIGNER}
WRONG_PIN = "98765432"


@pytest.fixture(scope="session")
def expired_folder(make_folder):
    return make_folder("expired", "--days", "-2")


def test_a_token_is_obtained(keystay, server):
    assert keystay.token(**ISOLATED).token
    assert [entry["outcome"]["status"] for entry in server.log()].count(200) == 1


def test_an_assertion_is_the_same_but_for_its_number(keystay, main_folder):
    read = [signed.read(keystay.assertion(**where).token, main_folder.certificate()) for where in ({}, ISOLATED)]
    (header, claims), (other_header, other_claims) = read
    assert header == other_header
    assert {name for name in claims if claims[name] != other_claims[name]} <= {"jti", "iat", "nbf", "exp"}


def test_the_certificate_is_found_on_the_token(keystay, main_folder):
    signed.read(keystay.assertion(certificate=None, **ISOLATED).token, main_folder.certificate())


def test_the_calls_are_the_same(keystay):
    plain, isolated = keystay.assertion(shim=""), keystay.assertion(shim="", **ISOLATED)
    assert plain.calls == isolated.calls and plain.calls["C_Sign"] == 1


REFUSALS = {
    "no such module": {"module": "/nonexistent/module.so"},
    "a module without a path": {"module": "libsofthsm2.so"},
    "what is no module": {"module": "/etc/passwd"},
    "no such token": {"key": "pkcs11:token=nowhere"},
    "no such key": {"key": "pkcs11:object=nothing"},
    "no such certificate": {"certificate": "/nonexistent/cert.pem"},
    "a URI that is none": {"key": "pkcs11:nonsense=1"},
    "no such PIN file": {"pin_source": "file:/nonexistent/pin"},
    "the PIN is locked": {"shim": "flags+=0x40000"},
    "the last try": {"shim": "flags+=0x20000"},
    "a key that leaves the token": {"shim": "CKA_EXTRACTABLE=true"},
    "a token that fails": {"shim": "C_SignInit=0x30"},
    "no mechanism": {"shim": "mechanisms=-0x1,-0x3,-0xD,-0x40,-0x43"},
    "a wrong signature": {"shim": "C_Sign:flip"},
}


@pytest.mark.parametrize("changes", REFUSALS.values(), ids=REFUSALS)
def test_refusals_are_the_same(keystay, changes):
    plain, isolated = keystay.assertion(**changes), keystay.assertion(**changes, **ISOLATED)
    assert plain.status != 0 and (isolated.status, isolated.out) == (plain.status, "")
    assert isolated.err == plain.err


def test_two_keys_of_one_name_are_as_ambiguous(at, keys_folder):
    plain, isolated = (at(keys_folder).assertion(**where) for where in ({}, ISOLATED))
    assert plain.status == 3 and (isolated.status, isolated.err) == (3, plain.err)


def test_a_certificate_is_as_expired(at, expired_folder):
    plain, isolated = (at(expired_folder).assertion(**where) for where in ({}, ISOLATED))
    assert plain.status == 3 and (isolated.status, isolated.err) == (3, plain.err)


def test_a_wrong_pin_is_refused_and_remembered(keystay, main_folder):
    wrong = f"file:{main_folder.write('wrong-pin', WRONG_PIN)}"
    result = refused(keystay.assertion(shim="", pin_source=wrong, **ISOLATED), 8, "CKR_PIN_INCORRECT")
    assert WRONG_PIN not in result.err
    for where in (ISOLATED, {}):  # whoever asks: the memory is one
        again = refused(keystay.assertion(shim="", pin_source=wrong, **where), 8, "was refused before")
        assert again.calls["C_Login"] == 0


def test_it_says_the_same_of_what_it_does(keystay, main_folder):
    settings = {"verbose": True, "module": os.path.realpath(main_folder.module)}  # by its one name, that is
    plain, isolated = keystay.assertion(**settings), keystay.assertion(**settings, **ISOLATED)
    assert "signed PS256 with mechanism" in isolated.err and isolated.err == plain.err


def test_a_missing_program_is_named(keystay):
    refused(keystay.assertion(isolate=True, signer_program="/nonexistent/signer"), 3, "/nonexistent/signer",
            hint="--signer-program")


def test_a_setting_that_does_not_cross_is_named(keystay):
    refused(keystay.assertion(module_args=5000 * "a", **ISOLATED), 3, "too long for the signer process")


def test_what_the_module_prints_is_not_the_answer(keystay, main_folder):
    result = keystay.assertion(shim="C_Sign:print", **ISOLATED)
    signed.read(result.token, main_folder.certificate())
    assert "shim: a word on stdout" in result.err


@pytest.mark.parametrize("end", ("crash", "exit", "abort"))
def test_a_module_that_ends_its_process_is_an_error(keystay, end):
    no_leak_check = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}  # exit() makes one
    result = keystay.assertion(shim=f"C_Initialize:{end}", env=no_leak_check, **ISOLATED)
    refused(result, 4, "ended", "in C_Initialize")
    assert result.seconds < 25


def test_a_module_that_hangs_is_an_error_at_the_deadline(keystay):
    result = refused(keystay.assertion(shim="C_FindObjects:hang", timeout=1, **ISOLATED), 4,
                     "did not return from C_FindObjects within 1 s")
    assert result.seconds < 25


def test_the_second_engine_needs_no_more_than_its_name(keystay, main_folder):
    result = keystay.assertion(engine="libp11", signer_program=SIGNER, alg="RS256")
    signed.read(result.token, main_folder.certificate())


def test_a_token_that_the_second_engine_does_not_see_at_once(keystay):
    """The first two calls are those of the first step, which is not libp11's."""
    result = keystay.assertion(engine="libp11", signer_program=SIGNER, shim="C_GetTokenInfo=0xE0@3 C_GetTokenInfo=0xE0@4")
    assert (result.status, result.calls["C_Initialize"], result.calls["C_Login"]) == (0, 3, 2)


def on_a_terminal(keystay, shim="", stderr_too=False, **changes):
    arguments = keystay.arguments("assertion", module=SHIM, pin_source="tty", **ISOLATED, **changes)
    return Terminal(arguments, keystay.environment(shim=shim), stderr_too=stderr_too)


def test_a_person_is_asked(keystay, main_folder):
    with on_a_terminal(keystay) as person:
        person.wait_for_question()
        assert b"PIN for token 'main' (serial " in person.shown
        person.type(main_folder.pin + "\n")
        status, out, err = person.finish()
        assert (status, err) == (0, "")
        signed.read(out.strip(), main_folder.certificate())
        assert person.has_echo()


def test_a_person_is_told_to_touch_the_key_and_gets_the_time_for_it(keystay, main_folder):
    """The call lasts longer than --timeout, which is not about people."""
    with on_a_terminal(keystay, "C_Sign:sleep=2500", stderr_too=True, timeout=2) as person:
        person.wait_for_question()
        person.type(main_folder.pin + "\n")
        person.wait_for(lambda: b"touch it now" in person.shown)
        status, out, _ = person.finish()
        assert status == 0
        signed.read(out.strip(), main_folder.certificate())
    assert person.shown.count(b"touch it now") == 1


def test_an_interrupt_at_the_question_ends_both(keystay):
    with on_a_terminal(keystay) as person:
        person.wait_for_question()
        person.interrupt()
        status, out, _ = person.finish()  # its pipes are closed: nobody holds them any more
        assert (status, out) == (130, "")
