# SPDX-License-Identifier: Apache-2.0
"""The PIN: where it comes from, when it is sent, and that it is sent once at the most."""

import os

import pytest

import cli
from cli import refused

COUNT_LOW, FINAL_TRY, LOCKED, TO_BE_CHANGED = 0x10000, 0x20000, 0x40000, 0x80000
WRONG = "98765432"


def not_sent(result):
    assert result.calls["C_OpenSession"] == 1
    assert result.calls["C_Login"] == 0 and result.calls["C_Sign"] == 0
    assert WRONG not in result.err


def with_pipe(keystay, data, **options):
    """With the PIN on a descriptor of its own."""
    reader, writer = os.pipe()
    try:
        os.write(writer, data)
        os.close(writer)
        return keystay.token(pin_source=f"fd:{reader}", popen={"pass_fds": [reader]}, **options)
    finally:
        os.close(reader)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=["bare", "LF", "CRLF"])
def test_from_a_file(keystay, main_folder, end):
    path = main_folder.write("own-pin", main_folder.pin + end)
    assert keystay.token(pin_source=f"file:{path}").status == 0


def test_from_a_file_that_others_can_read(keystay, main_folder):
    source = f"file:{main_folder.write('open-pin', main_folder.pin, 0o644)}"
    result = keystay.token(pin_source=source)
    assert result.status == 0
    assert "warning: the PIN file" in result.err and "chmod 600" in result.err
    assert keystay.token(pin_source=source, extra=["--quiet"]).err == ""


def test_from_a_descriptor(keystay, main_folder):
    assert with_pipe(keystay, main_folder.pin.encode("ascii") + b"\n").status == 0


def test_from_the_environment(keystay, main_folder):
    result = keystay.token(pin_source="env:MY_PIN", env={"MY_PIN": main_folder.pin})
    assert result.status == 0


@pytest.mark.parametrize("form", ["file:{}", "{}"])
def test_from_the_uri(keystay, main_folder, form):
    uri = f"pkcs11:object=assertion?pin-source={form.format(main_folder.file('pin'))}"
    assert keystay.token(key=uri, pin_source=None).status == 0
    refused(keystay.token(key=uri), 3, "are both given")


@pytest.mark.parametrize("source, words", [
    ("file:/nonexistent/pin", "No such file"),
    ("file:/", "is a folder"),
    ("fd:97", "cannot be read"),
    ("env:NO_SUCH_VARIABLE", "NO_SUCH_VARIABLE is not set"),
], ids=["file", "folder", "fd", "env"])
def test_from_nowhere(keystay, source, words):
    result = keystay.token(pin_source=source, shim="")
    refused(result, 3, words)
    not_sent(result)


def test_a_descriptor_that_gives_nothing_is_not_waited_for_longer_than_the_timeout(keystay):
    reader, writer = os.pipe()
    process = keystay.start(pin_source=f"fd:{reader}", interaction_timeout=1, popen={"pass_fds": [reader]})
    try:
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        os.close(reader)
        os.close(writer)
    assert (process.returncode, out) == (3, b"") and b"descriptor" in err


@pytest.mark.parametrize("source", [
    "98765432", "PIN:98765432", "fd:98765432", "fd:x98765432", "file:", "env:", "|echo 98765432"])
def test_a_source_that_is_none_is_not_quoted(keystay, source):
    result = keystay.token(pin_source=source, shim="")
    refused(result, 3, "--pin-source")
    assert not result.calls and WRONG not in result.err


def test_a_command_in_the_uri_is_not_run(keystay, tmp_path):
    victim = tmp_path / "victim"
    uri = f"pkcs11:object=assertion?pin-source=%7Ctouch%20{victim}"
    refused(keystay.token(key=uri, pin_source=None), 3, "a command as pin-source")
    assert not victim.exists()


@pytest.mark.parametrize("place", ["key", "certificate"])
@pytest.mark.parametrize("uri", [
    "pkcs11:object=assertion?pin-value=98765432",
    "pkcs11:object=assertion?pin-source=/x&pin-value=98765432",
    "pkcs11:?pin-value=98765432",
])
def test_a_pin_in_a_uri_is_refused(keystay, place, uri):
    result = keystay.token(**{place: uri}, shim="")
    refused(result, 3, "pin-value", hint="--pin-source file:PATH")
    assert not result.calls and WRONG not in result.err


@pytest.mark.parametrize("arguments", [
    ["token", "--pin=98765432"], ["token", "--pin", "98765432"], ["token", "--pin-value=98765432"],
    ["token", "--pni-source=98765432"], ["--pin=98765432", "token"], ["token", "--password=98765432"],
])
def test_a_pin_as_an_option_is_not_quoted(arguments):
    result = refused(cli.run(*arguments), 2, "there is no option")
    assert WRONG not in result.err


def test_wrong(keystay, server, main_folder):
    result = keystay.token(pin_source=f"file:{main_folder.write('wrong-pin', WRONG)}", shim="")
    refused(result, 8, "token 'main'", "C_Login failed", "CKR_PIN_INCORRECT (0xA0)",
            hint="before the next try")
    assert (result.calls["C_Login"], result.calls["C_Sign"]) == (1, 0)
    assert result.calls["C_Finalize"] == 1
    assert WRONG not in result.err
    assert server.log() == []


@pytest.mark.parametrize("rv, name, hint", [
    (0xA4, "CKR_PIN_LOCKED", "PUK"),
    (0xA3, "CKR_PIN_EXPIRED", "new PIN"),
    (0xA1, "CKR_PIN_INVALID", "characters"),
    (0xA2, "CKR_PIN_LEN_RANGE", "too short or too long"),
    (0x102, "CKR_USER_PIN_NOT_INITIALIZED", "set the user PIN"),
])
def test_refused_by_the_token(keystay, server, rv, name, hint):
    result = keystay.token(shim=f"C_Login={rv:#x}")
    refused(result, 8, "token 'main'", name, hint=hint)
    assert (result.calls["C_Login"], result.calls["C_Sign"]) == (1, 0)
    assert server.log() == []


@pytest.mark.parametrize("rv, name", [
    (0x5, "CKR_GENERAL_ERROR"), (0x30, "CKR_DEVICE_ERROR"), (0x50, "CKR_FUNCTION_CANCELED")])
def test_a_login_that_fails_otherwise_is_no_pin_error(keystay, rv, name):
    result = keystay.token(shim=f"C_Login={rv:#x}")
    refused(result, 4, name)
    assert (result.calls["C_Login"], result.calls["C_Sign"]) == (1, 0)


def test_already_logged_in_is_fine(keystay):
    """In truth nobody is: that the search comes, and finds no key, shows that the login was taken as done."""
    result = keystay.token(shim="C_Login=0x100")
    refused(result, 3, "no private key")
    assert result.calls["C_FindObjects"] > 0


def test_a_locked_pin_is_not_sent(keystay, server):
    result = keystay.token(shim=f"flags+={LOCKED:#x}")
    refused(result, 8, "token 'main'", "the PIN is locked", "was not sent", hint="PUK")
    not_sent(result)
    assert server.log() == []


def test_a_locked_pin_is_not_sent_even_as_the_final_try(keystay):
    result = keystay.token(shim=f"flags+={LOCKED | FINAL_TRY:#x}", pin_final_try=True)
    refused(result, 8, "the PIN is locked")
    not_sent(result)


def test_the_final_try_is_refused_unless_asked_for(keystay):
    result = keystay.token(shim=f"flags+={FINAL_TRY:#x}")
    refused(result, 8, "one more wrong PIN locks it", "was not sent", hint="--pin-final-try")
    not_sent(result)
    assert keystay.token(shim=f"flags+={FINAL_TRY:#x}", pin_final_try=True).status == 0


def test_refused_flags_come_before_the_pin_is_read(keystay):
    result = keystay.token(shim=f"flags+={LOCKED:#x}", pin_source="file:/nonexistent/pin")
    refused(result, 8, "the PIN is locked")


def test_a_low_count_alone_is_no_reason(keystay):
    assert keystay.token(shim=f"flags+={COUNT_LOW:#x}").status == 0


@pytest.mark.parametrize("content, status, words", [
    ("", 3, "the PIN is empty"),
    ("\n", 3, "the PIN is empty"),
    ("98765432\nmore\n", 3, "more than one line"),
    ("98765432\n\n", 3, "more than one line"),
    ("9876\x005432", 3, "more than one line"),
    ("123", 8, "its PINs have 4 to 255 bytes"),
    ("9" * 256, 8, "its PINs have 4 to 255 bytes"),
    ("9" * 2000, 3, "longer than"),
], ids=["empty", "newline", "two lines", "blank line", "NUL", "short", "long", "far too long"])
def test_what_cannot_be_the_pin_is_not_sent(keystay, main_folder, content, status, words):
    result = keystay.token(pin_source=f"file:{main_folder.write('odd-pin', content)}", shim="")
    refused(result, status, words)
    not_sent(result)


@pytest.mark.parametrize("limits", ["0-0", "6-4"])
def test_limits_that_make_no_sense_are_not_believed(keystay, limits):
    assert keystay.token(shim=f"pin-len={limits}").status == 0


def test_the_pin_is_in_no_argument_list(keystay, server, main_folder):
    server.script([{"delay_ms": 400}])
    process = keystay.start()
    while not server.log():
        assert process.poll() is None
    with open(f"/proc/{process.pid}/cmdline", "rb") as file:
        words = file.read().split(b"\0")
    assert b"--pin-source" in words
    assert not any(main_folder.pin.encode("ascii") in word or b"eyJ" in word for word in words)
    out, _ = process.communicate()
    assert process.returncode == 0 and out
