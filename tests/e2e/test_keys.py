# SPDX-License-Identifier: Apache-2.0
"""Which key, whether it may be used, and that what it signed is checked before it leaves."""

import pytest

import signed
from cli import refused


@pytest.fixture(scope="session")
def extractable_folder(make_folder):
    return make_folder("extractable", "--extractable")


@pytest.fixture(scope="session")
def weak_folder(make_folder):
    return make_folder("weak", "--key-type", "rsa:1024", "--cert-on-token")


@pytest.fixture(scope="session")
def ec_folder(make_folder):
    return make_folder("ec", "--key-type", "ec:P-256", "--cert-on-token")


@pytest.fixture(scope="session")
def large_folder(make_folder):
    return make_folder("large", "--key-type", "rsa:4096")


def nothing_signed(result, server):
    assert result.calls["C_Sign"] == 0
    assert server.log() == []


def test_no_such_key_lists_ids_and_labels(at, keys_folder, server):
    result = at(keys_folder).token(key="pkcs11:token=keys;id=%99", shim="")
    refused(result, 3, "token 'keys'", "no such private key", "id=%01 object 'assertion'",
            "id=%02 object 'assertion'", hint="%XX")
    nothing_signed(result, server)


def test_two_keys_of_the_same_label(at, keys_folder, server):
    keystay = at(keys_folder)
    result = keystay.token(key="pkcs11:object=assertion", shim="")
    refused(result, 3, "2 private keys fit", "id=%01", "id=%02", hint=";id=%XX")
    nothing_signed(result, server)
    for key_id, name in (("%01", "cert.pem"), ("%02", "two.pem")):
        uri = f"pkcs11:object=assertion;id={key_id}"
        chosen = keystay.assertion(key=uri, certificate=keys_folder.file(name))
        signed.read(chosen.token, keys_folder.certificate(name))


def test_a_large_key(at, large_folder):
    header, _ = signed.read(at(large_folder).assertion().token, large_folder.certificate())
    assert header["alg"] == "PS256"


def test_a_proof_that_the_token_cannot_give(keystay, main_folder, server):
    """SoftHSM attests nothing. The certificate is signed by itself, so it can stand for a root."""
    result = keystay.assertion(require="attested", attestation_ca=main_folder.file("cert.pem"), shim="")
    refused(result, 3, "nothing proves", "shows no attestation of the key", hint="YubiKey")
    nothing_signed(result, server)


def test_a_proof_that_nobody_is_believed_for(keystay, server):
    result = keystay.assertion(require="attested", shim="")
    refused(result, 3, "nothing proves", "whose attestations to believe", hint="--attestation-ca")
    assert not result.calls


def test_a_certificate_on_another_curve(at, make_folder, ec_folder, server):
    """A private key tells its curve even where it does not tell its point: nothing is signed to find out."""
    keystay = at(make_folder("p384", "--key-type", "ec:P-384"))
    result = keystay.assertion(alg="ES256", certificate=ec_folder.file("cert.pem"), shim="")
    refused(result, 3, "do not belong together", hint="--certificate")
    nothing_signed(result, server)


def test_a_key_that_the_token_would_hand_out(at, extractable_folder, server):
    keystay = at(extractable_folder)
    result = keystay.token(shim="")
    refused(result, 3, "would hand this private key out", "CKA_EXTRACTABLE is true",
            hint="--allow-extractable")
    nothing_signed(result, server)
    allowed = keystay.assertion(allow_extractable=True)
    signed.read(allowed.token, extractable_folder.certificate())


@pytest.mark.parametrize("fault, words", [
    ("CKA_SENSITIVE=false", "CKA_SENSITIVE is false"),
    ("CKA_EXTRACTABLE=true", "CKA_EXTRACTABLE is true"),
    ("CKA_EXTRACTABLE=missing", "does not say"),
    ("CKA_EXTRACTABLE=hidden", "does not say"),
    ("CKA_SENSITIVE=missing", "does not say"),
    ("CKA_EXTRACTABLE=0x02", "does not say"),
    ("CKA_EXTRACTABLE=0x0000", "does not say"),
    ("CKA_EXTRACTABLE=0x", "does not say"),
])
def test_a_key_that_might_be_handed_out(keystay, server, fault, words):
    result = keystay.token(shim=fault)
    refused(result, 3, "would hand this private key out", words, hint="--allow-extractable")
    nothing_signed(result, server)
    assert keystay.token(shim=fault, allow_extractable=True).status == 0


def test_a_key_that_may_not_sign(keystay, server):
    result = keystay.token(shim="CKA_SIGN=false", allow_extractable=True)
    refused(result, 3, "CKA_SIGN is false")
    nothing_signed(result, server)


@pytest.mark.parametrize("where", ["file", "token"])
def test_an_rsa_key_under_2048_bits(at, weak_folder, server, where):
    path = weak_folder.file("cert.pem") if where == "file" else None
    result = at(weak_folder).token(certificate=path, shim="")
    refused(result, 3, "1024 bits", "2048", hint="2048")
    nothing_signed(result, server)


@pytest.mark.parametrize("where", ["file", "token"])
def test_an_ec_key(at, ec_folder, server, where):
    path = ec_folder.file("cert.pem") if where == "file" else None
    result = at(ec_folder).token(certificate=path, shim="")
    refused(result, 3, "none of the algorithms", "entra", "PS256 RS256", hint="choose another key")
    nothing_signed(result, server)


@pytest.mark.parametrize("where", ["file", "token"])
def test_an_ec_key_signs_es256_when_asked(at, ec_folder, where):
    path = ec_folder.file("cert.pem") if where == "file" else None
    result = at(ec_folder).assertion(certificate=path, alg="ES256", shim="")
    header, _ = signed.read(result.token, ec_folder.certificate())
    assert header["alg"] == "ES256"
    refused(at(ec_folder).assertion(certificate=path, alg="ES384"), 3, "cannot sign ES384")
    refused(at(ec_folder).assertion(certificate=path, alg="RS256"), 3, "cannot sign RS256")


def test_a_corrupted_signature_never_leaves(keystay, server):
    result = keystay.token(shim="C_Sign:flip")
    refused(result, 3, "does not verify", "CN=keystay fixture", "nothing was sent", hint="--certificate")
    assert result.calls["C_Sign"] == 1
    assert server.log() == []
    refused(keystay.assertion(shim="C_Sign:flip", alg="RS256"), 3, "does not verify")


@pytest.mark.parametrize("claimed, status, words", [
    ("10", 3, "does not verify"), ("0", 3, "does not verify"), ("257", 3, "does not verify"),
    ("999999", 4, "claims a signature of 999999 bytes"),
    ("0xFFFFFFFFFFFFFFFF", 4, "claims a signature"),
])
def test_a_signature_of_another_length_never_leaves(keystay, server, claimed, status, words):
    refused(keystay.token(shim=f"C_Sign:len={claimed}"), status, words)
    assert server.log() == []


@pytest.mark.parametrize("call, n_sign", [
    ("C_FindObjectsInit", 0), ("C_FindObjects", 0), ("C_FindObjectsFinal", 0), ("C_GetAttributeValue", 0),
    ("C_GetMechanismList", 0), ("C_SignInit", 0), ("C_Sign", 1)])
def test_a_call_that_fails_after_the_login(keystay, server, call, n_sign):
    """A code that no recovery helps against."""
    result = keystay.token(shim=f"{call}=0x1B")
    refused(result, 4, "token 'main'", f"{call} failed", "CKR_ACTION_PROHIBITED (0x1B)")
    assert (result.calls["C_Login"], result.calls["C_Sign"], result.calls["C_Finalize"]) == (1, n_sign, 1)
    assert server.log() == []


@pytest.mark.parametrize("call", ["C_FindObjectsInit", "C_GetMechanismList", "C_SignInit", "C_Sign"])
@pytest.mark.parametrize("code, n_initialize", [("0xB3", 1), ("0x101", 1), ("0x32", 1), ("0x30", 1), ("0x190", 2)])
def test_a_fault_that_passes_is_recovered_from(keystay, call, code, n_initialize):
    """The ladder: new session, rescan, reinitialise, beginning where the code says; the work is then done again."""
    result = keystay.token(shim=f"{call}={code}@1")
    assert result.token
    assert (result.calls["C_Login"], result.calls["C_Initialize"]) == (2, n_initialize)


def test_a_token_that_stays_away_is_an_error_after_each_rung(keystay, server):
    """Once, after the slots were looked at anew, and after the module was initialised anew."""
    result = keystay.token(shim="C_Sign=0x32")
    refused(result, 4, "C_Sign failed", "CKR_DEVICE_REMOVED (0x32)", hint="plugged in")
    assert (result.calls["C_Sign"], result.calls["C_Login"]) == (3, 3)
    assert server.log() == []


def test_recovery_never_sends_a_refused_pin_again(keystay):
    result = keystay.token(shim="C_Sign=0xB3@1 C_Login=0xA0@2+")
    refused(result, 8, "CKR_PIN_INCORRECT")
    assert result.calls["C_Login"] == 2


@pytest.mark.parametrize("rv, name", [(0x70, "CKR_MECHANISM_INVALID"), (0x71, "CKR_MECHANISM_PARAM_INVALID")])
def test_a_mechanism_that_was_promised_but_is_refused(keystay, rv, name):
    refused(keystay.token(shim=f"C_SignInit={rv:#x}"), 3, name, hint="RS256")


def test_the_module_is_put_away_even_if_that_fails(keystay):
    result = keystay.token(shim="C_Finalize=0x5")
    assert result.status == 0 and result.calls["C_Finalize"] == 1
