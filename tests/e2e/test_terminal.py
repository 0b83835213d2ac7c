# SPDX-License-Identifier: Apache-2.0
"""The PIN from a person: what is asked, that nothing echoes, and that the terminal is left as it was."""

import pytest

import signed
from cli import refused
from terminal import Terminal


@pytest.fixture
def terminal(keystay):
    """The program about to ask for the PIN."""
    def start(pin_source="tty"):
        return Terminal(keystay.arguments("assertion", pin_source=pin_source), keystay.environment())
    return start


@pytest.mark.parametrize("pin_source", ["tty", None], ids=["tty", "by default"])
def test_a_person_is_asked(terminal, main_folder, pin_source):
    with terminal(pin_source) as person:
        person.wait_for_question()
        assert b"PIN for token 'main' (serial " in person.shown
        person.type(main_folder.pin + "\n")
        status, out, err = person.finish()
        assert (status, err) == (0, "")
        signed.read(out.strip(), main_folder.certificate())
        assert main_folder.pin.encode("ascii") not in person.shown
        assert person.has_echo()


def test_a_wrong_pin_is_not_asked_for_again(terminal):
    with terminal() as person:
        person.wait_for_question()
        person.type("98765432\n")
        status, out, err = person.finish()
        assert (status, out) == (8, "")
        assert "CKR_PIN_INCORRECT" in err and "98765432" not in err
        assert b"98765432" not in person.shown and person.shown.count(b"PIN for") == 1


def test_an_interrupt_ends_it(terminal):
    with terminal() as person:
        person.wait_for_question()
        person.type("123")
        person.interrupt()
        status, out, _ = person.finish()
        assert (status, out) == (130, "")
        assert person.has_echo()


@pytest.mark.parametrize("typed", ["\n", "12\n"], ids=["empty", "short"])
def test_what_cannot_be_the_pin_is_not_sent(terminal, typed):
    with terminal() as person:
        person.wait_for_question()
        person.type(typed)
        status, out, err = person.finish()
        assert status in (3, 8) and out == ""
        assert "it was not sent" in err


def test_without_a_terminal(keystay):
    result = keystay.token(pin_source="tty", shim="")
    refused(result, 3, "no terminal", hint="--pin-source file:PATH")
    assert result.calls["C_Login"] == 0


def test_stdin_is_no_terminal(keystay, main_folder, tmp_path):
    path = tmp_path / "stdin"
    path.write_text(main_folder.pin + "\n", encoding="ascii")
    with open(path, "rb") as file:
        refused(keystay.token(pin_source="tty", popen={"stdin": file}), 3, "no terminal")
