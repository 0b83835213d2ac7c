# SPDX-License-Identifier: Apache-2.0
"""--key given several times: the first that works, each with its own certificate."""

import signed
from cli import refused


def with_keys(keystay, *keys, **changes):
    """extra= puts the options after those of keystay.defaults, which here have no key."""
    extra = [word for key in keys for word in ("--key", key)]
    return keystay.assertion(key=None, extra=extra, **changes)


def test_the_first_that_works_signs(at, keys_folder):
    result = with_keys(at(keys_folder), "pkcs11:id=%77", "pkcs11:id=%01")
    assert result.status == 0
    signed.read(result.out.strip(), keys_folder.certificate())
    assert "no such private key" in result.err and "--key 1" in result.err


def test_each_brings_its_own_certificate(at, keys_folder):
    program = at(keys_folder)
    both = ["--certificate", keys_folder.file("cert.pem"), "--certificate", keys_folder.file("two.pem")]
    for key, name in (("pkcs11:id=%01", "cert.pem"), ("pkcs11:id=%02", "two.pem")):
        result = program.assertion(key=key, certificate=None, extra=both)
        header, _ = signed.read(result.token, keys_folder.certificate(name))
        assert header["x5t#S256"] == signed.sha256(keys_folder.certificate(name))


def test_the_first_is_left_alone_when_it_works(at, keys_folder):
    result = with_keys(at(keys_folder), "pkcs11:id=%01", "pkcs11:id=%77")
    assert result.token and result.err == ""


def test_when_all_fail_each_reason_is_told(at, keys_folder):
    result = with_keys(at(keys_folder), "pkcs11:id=%77", "pkcs11:token=nobody")
    refused(result, 3, "no key could sign", "--key 1", "no such private key", "--key 2", "no token fits")


def test_a_wrong_pin_is_not_tried_with_the_next_key(at, make_folder):
    folder = make_folder("several", "--cert-on-token")
    result = with_keys(at(folder), "pkcs11:id=%01", "pkcs11:object=assertion", shim="", pin_source="env:WRONG",
                       env={"WRONG": "9998887"})
    refused(result, 8, "no key could sign", "CKR_PIN_INCORRECT", "refused before")
    assert result.calls["C_Login"] == 1
