# SPDX-License-Identifier: Apache-2.0
"""The PIN: one wrong try costs one try. Where wrong PINs lock a token, this file makes the only one of the suite."""

import cli
import pytest
import signed
from cli import refused
from token_under_test import CAN, KEYS, PIN_FILE, read_pin

KEY = KEYS[0] if KEYS else None


def another(pin):
    """As long, and of the same kind."""
    return pin[:-1] + (b"1" if pin[-1:] != b"1" else b"2")


def sign_with_right_pin(backend, **settings):
    """Another PIN than the refused one; but one in 256 looks the same to the latch, which keeps one byte of it."""
    result = backend.assertion(KEY, **settings)
    if "was refused before" in result.err:
        assert backend.run("pin forget", key=KEY.uri, pin_source=None).status == 0
        result = backend.assertion(KEY, **settings)
    return result


def test_a_wrong_pin_costs_one_try(backend):
    wrong = backend.write_pin("wrong-pin", another(read_pin()) + b"\n")

    result, calls = backend.spied(lambda **more: backend.assertion(KEY, pin_source=wrong, **more))
    refused(result, 8, "CKR_PIN_INCORRECT")
    assert calls.count("C_Login") == 1

    for count_low in ("refuse", "try"):
        again = backend.spied(lambda **more: backend.assertion(KEY, pin_source=wrong, **more), pin_count_low=count_low)
        refused(again[0], 8, "not sent")
        assert "C_Login" not in again[1]

    if "pin-flags" in CAN:
        result, calls = backend.spied(lambda **more: backend.assertion(KEY, **more))
        refused(result, 8, "counted a wrong PIN", hint="--pin-count-low try")
        assert "C_Login" not in calls
    signed.read(sign_with_right_pin(backend, pin_count_low="try").token, KEY.certificate)
    signed.read(backend.assertion(KEY).token, KEY.certificate)  # the count is back to nothing


@pytest.mark.wants("pins-lock", "pin-flags")
def test_a_pin_of_the_wrong_length_costs_nothing(backend):
    """The token says how long its PINs are."""
    long = backend.write_pin("long-pin", b"1" * 300)
    result, calls = backend.spied(lambda **more: backend.assertion(KEY, pin_source=long, **more))
    refused(result, 8, "was not sent")
    assert "C_Login" not in calls
    assert backend.assertion(KEY).status == 0


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"], ids=("bare", "lf", "crlf"))
def test_one_line_end_is_not_the_pins(backend, end):
    source = backend.write_pin("pin", read_pin() + end)
    signed.read(backend.assertion(KEY, pin_source=source).token, KEY.certificate)


@pytest.mark.wants("softhsm-utf8-pin")
def test_the_pins_bytes_are_the_pin(backend):
    """Neither a locale nor another encoding of the same letters has a say."""
    for locale in ("C", "C.UTF-8", "POSIX"):
        assert backend.assertion(KEY, env={"LC_ALL": locale}).status == 0
    decomposed = "geha\u0308im-\u20ac42".encode("utf-8")
    refused(backend.assertion(KEY, pin_source=backend.write_pin("nfd", decomposed)), 8, "CKR_PIN_INCORRECT")
    assert sign_with_right_pin(backend, pin_count_low="try").status == 0


def test_the_pin_file_alone_has_it(backend):
    """cli.run would find it in the output; in the environment or the arguments of the program it never was."""
    with open(PIN_FILE, "rb") as file:
        assert file.read() == read_pin() + b"\n"
    assert cli.refused(backend.assertion(KEY, pin_source="file:/nonexistent/pin"), 3)
