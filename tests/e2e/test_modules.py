# SPDX-License-Identifier: Apache-2.0
"""From a path to one token: what is no module, and which token is meant."""

import re

import pytest

import signed
from cli import refused


def libc():
    """The path of a library that is none of PKCS#11: every process has this one."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return next(line.split()[-1] for line in maps if re.search(r"/libc\.so|/libc-", line))


@pytest.fixture(scope="session")
def empty_folder(make_folder):
    """A token without a key."""
    return make_folder("empty", "--no-key")


@pytest.fixture(scope="session")
def evil_folder(make_folder):
    """A token whose label would steer a terminal."""
    return make_folder("evil\x1b[31mred\x9b")


def serials(folder_result):
    return re.findall(r"serial ([0-9a-f]{16})", folder_result.err)


@pytest.mark.parametrize("path, words, hint", [
    ("/nonexistent/module.so", ["no module at '/nonexistent/module.so'", "No such file"], "opensc-pkcs11.so"),
    ("/tmp", ["'/tmp' is not a file"], "libsofthsm2.so"),
    ("/dev/null", ["'/dev/null' is not a file"], "libsofthsm2.so"),
    ("/etc/passwd", ["'/etc/passwd' cannot be loaded"], "--module"),
    (libc(), ["not a PKCS#11 module", "C_GetFunctionList"], "libsofthsm2.so"),
    ("libsofthsm2.so", ["'libsofthsm2.so' must be given with its full path", "softhsm2"], "full path"),
], ids=["missing", "folder", "device", "text", "libc", "relative"])
def test_no_module(keystay, server, path, words, hint):
    refused(keystay.token(module=path), 3, *words, hint=hint)
    assert server.log() == []


def test_a_module_that_does_not_start(keystay):
    result = keystay.token(shim="C_Initialize=0x5")
    refused(result, 4, "C_Initialize failed", "CKR_GENERAL_ERROR (0x5)", hint="SOFTHSM2_CONF")
    assert result.calls["C_GetSlotList"] == 0 and result.calls["C_Finalize"] == 0


def test_a_module_that_gives_no_functions(keystay):
    refused(keystay.token(shim="C_GetFunctionList=0x54"), 4, "C_GetFunctionList failed", "0x54")


def test_a_module_that_cannot_lock_is_used_without(keystay):
    result = keystay.token(shim="C_Initialize=0xA@1")
    assert (result.status, result.calls["C_Initialize"]) == (0, 2)


def test_a_module_that_somebody_else_initialised_is_left_initialised(keystay):
    """It stays uninitialised here, so that the next call fails; what counts is that nothing is finalised."""
    result = keystay.token(shim="C_Initialize=0x191")
    refused(result, 4, "CKR_CRYPTOKI_NOT_INITIALIZED")
    assert result.calls["C_Finalize"] == 0


@pytest.mark.parametrize("call", ["C_GetSlotList", "C_GetTokenInfo", "C_OpenSession"])
def test_a_call_that_fails_before_the_login(keystay, server, call):
    result = keystay.token(shim=f"{call}=0x30")
    refused(result, 4, f"{call} failed", "CKR_DEVICE_ERROR (0x30)", hint="plugged in")
    assert result.calls["C_Login"] == 0 and result.calls["C_Finalize"] == 1
    assert server.log() == []


@pytest.mark.parametrize("rv, words", [
    (0x80000042, "a code of the vendor's own (0x80000042)"), (0x7777, "unknown code (0x7777)")])
def test_a_code_that_the_standard_does_not_name(keystay, rv, words):
    refused(keystay.token(shim=f"C_OpenSession={rv:#x}"), 4, "C_OpenSession", words)


def test_no_such_token_lists_those_that_are_there(at, twins_folder):
    twins_folder = at(twins_folder)
    result = twins_folder.token(key="pkcs11:token=nobody;id=%01", shim="")
    refused(result, 4, "no token fits", "token 'twin', serial", hint="--key")
    assert len(set(serials(result))) == 2
    assert result.calls["C_OpenSession"] == 0


def test_no_token_at_all(at, make_folder, tmp_path, main_folder):
    conf = tmp_path / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {tmp_path}\nobjectstore.backend = file\n", encoding="utf-8")
    result = at(main_folder).token(env={"SOFTHSM2_CONF": str(conf)})
    refused(result, 4, "no initialised token", hint="SOFTHSM2_CONF")


def test_two_of_the_same_label(at, twins_folder, server):
    keystay = at(twins_folder)
    result = keystay.token(key="pkcs11:token=twin", shim="")
    refused(result, 3, "2 tokens fit", "does not guess", hint=";serial=")
    assert result.calls["C_OpenSession"] == 0 and server.log() == []
    headers = [signed_by_either(keystay, serial) for serial in serials(result)]
    assert sorted(headers) == ["cert.pem", "other.pem"]


def signed_by_either(keystay, serial):
    """Which certificate's key the token of this serial holds."""
    for name in ("cert.pem", "other.pem"):
        path = keystay.folder.file(name)
        result = keystay.assertion(key=f"pkcs11:token=twin;serial={serial}", certificate=path)
        if result.status == 0:
            signed.read(result.token, keystay.folder.certificate(name))
            return name
    return None


def test_a_token_that_vanishes_is_not_there(keystay):
    result = keystay.token(shim="C_GetTokenInfo=0xE0")
    refused(result, 4, "no initialised token")


def test_a_token_that_comes_late_is_found_by_looking_again(keystay):
    result = keystay.token(key="pkcs11:token=main", shim="C_GetTokenInfo=0xE0@1 C_GetTokenInfo=0xE0@2")
    assert (result.status, result.calls["C_GetSlotList"]) == (0, 3)  # the list, the look, the list


def test_a_token_that_only_a_module_begun_anew_shows(keystay):
    """SoftHSM's is one that was written when the module looked for it, which it does in C_Initialize alone."""
    absent = " ".join(f"C_GetTokenInfo=0xE0@{i}" for i in range(1, 5))  # two slots: at the list and at the look
    result = keystay.token(key="pkcs11:token=main", shim=absent)
    assert (result.status, result.calls["C_Initialize"], result.calls["C_Login"]) == (0, 2, 1)


def test_the_uri_may_ask_for_the_library_and_the_slot(keystay):
    assert keystay.token(key="pkcs11:library-manufacturer=SoftHSM").status == 0
    refused(keystay.token(key="pkcs11:library-manufacturer=Vendor"), 3, "not the library")
    refused(keystay.token(key="pkcs11:slot-manufacturer=Vendor"), 4, "no token fits")


def test_a_label_cannot_steer_the_terminal(at, evil_folder):
    keystay = at(evil_folder)
    listed = refused(keystay.token(key="pkcs11:token=nobody"), 4, "token 'evil?[31mred")
    asked = refused(keystay.token(key="pkcs11:id=%99"), 3, "token 'evil?[31mred")
    verbose = keystay.assertion(extra=["--verbose"])
    assert verbose.status == 0
    for result in (listed, asked, verbose):
        assert "\x1b" not in result.err and "\x9b" not in result.err


def test_a_token_without_a_key(at, empty_folder):
    result = at(empty_folder).token(key="pkcs11:token=empty;id=%01", certificate=None, shim="")
    refused(result, 3, "token 'empty'", "holds no private key", hint="make a key")
    assert result.calls["C_Login"] == 1 and result.calls["C_Sign"] == 0
