# SPDX-License-Identifier: Apache-2.0
"""key import: a key of an application's file comes onto the token. Other tools made the file, and say what is there."""

import base64
import os

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

import softkey
from cli import OTHER_CLIENT, refused
from terminal import Terminal
from test_key_life import arguments, keys, objects, run

PASSWORD = "not the PIN"
NOTHING = serialization.NoEncryption()
SOME = serialization.BestAvailableEncryption(PASSWORD.encode())
OUTSIDE = "this key has been outside"


@pytest.fixture
def life(at, make_folder):
    """The program with a token of the test's own, which holds one key: id 01, object 'assertion'."""
    keystay = at(make_folder("import", "--key-type", "ec:P-256"))
    keystay.defaults["key"] = "pkcs11:token=import"
    return keystay


@pytest.fixture(scope="module")
def ec_key():
    return softkey.ec_key()


@pytest.fixture(scope="module")
def rsa_key():
    return softkey.rsa_key()


def pem(key, encryption=NOTHING, form=serialization.PrivateFormat.PKCS8):
    return key.private_bytes(serialization.Encoding.PEM, form, encryption)


def pfx(key, certificate=None, encryption=SOME):
    return pkcs12.serialize_key_and_certificates(b"app", key, certificate, None, encryption)


def bring_in(life, content, shim=None, **changes):
    path = life.folder.write("app.key", content)
    life.folder.write("password", f"{PASSWORD}\n")
    options = {"in": path, "password_source": f"file:{life.folder.file('password')}"} | changes
    result = run(life, "key", "import", shim=shim, **options)
    assert PASSWORD not in result.out + result.err
    return result


def taken(life, content, **changes):
    """It went well, and the one warning that is always there was said; what else was said."""
    result = bring_in(life, content, **changes)
    assert result.status == 0 and OUTSIDE in result.err, result
    return result.out.strip(), [line for line in result.err.splitlines() if OUTSIDE not in line]


FORMS = {
    "PKCS #8": lambda key: pem(key),
    "encrypted PKCS #8": lambda key: pem(key, SOME),
    "traditional": lambda key: pem(key, NOTHING, serialization.PrivateFormat.TraditionalOpenSSL),
    "traditional, encrypted": lambda key: pem(key, SOME, serialization.PrivateFormat.TraditionalOpenSSL),
    "DER": lambda key: key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, NOTHING),
    "PFX": pfx,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["rsa_key", "ec_key"])
def test_a_key_of_each_form(life, request, kind, form):
    key = request.getfixturevalue(kind)
    uri, more = taken(life, FORMS[form](key), id="20", label="app")
    assert (uri.endswith(";id=%20"), more) == (True, [])
    shown = keys(life)["%20"]
    assert (shown["type"], shown["bits"], shown["label"]) == (kind[:-4].upper(), key.key_size, "app")
    assert shown["claimed_by_token"] == {"sensitive": True, "always_sensitive": False, "extractable": False,
                                         "never_extractable": False, "local": False, "sign": True}
    theirs = {of: (usage, access) for of, key_id, usage, access in objects(life) if key_id == "20"}
    assert theirs["Private Key"] == ("sign", "sensitive")
    assert theirs["Public Key"][0] == "verify"


@pytest.mark.parametrize("source", ["file", "token"])
def test_what_it_signs_is_accepted(at, make_folder, registered, stranger, source):
    """By the server that knows the application by the certificate that it had."""
    keystay = at(make_folder("app", "--key-type", "ec:P-256"))
    keystay.defaults["key"] = "pkcs11:token=app"
    uri, more = taken(keystay, pfx(stranger.key, stranger.cert), with_certificate=True, label="app")
    assert more == []
    changes = {"certificate": str(registered[OTHER_CLIENT][0])} if source == "file" else {"certificate": None}
    assert keystay.token(key=uri, client_id=OTHER_CLIENT, **changes).token


def test_an_import_is_no_key_from_inside(life, ec_key):
    uri, _ = taken(life, pfx(ec_key, softkey.certificate(ec_key)), with_certificate=True)
    result = life.assertion(key=uri, certificate=None, require="generated-on-token")
    refused(result, 3, "CKA_LOCAL" if "CKA_LOCAL" in result.err else "generated")
    for required in ("generated-on-token", "attested"):
        before = objects(life)
        result = bring_in(life, pem(ec_key), shim="", require=required)
        refused(result, 3, f"--require {required}", hint="key generate")
        assert not result.calls and objects(life) == before


@pytest.mark.parametrize("content, word", [
    (lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"), "a byte order mark, lines that end in CR LF"),
    (lambda text: text.decode().encode("utf-16"), "UTF-16"),
    (lambda text: text.replace(b"\n", b"\\n"), "written out"),
    (lambda text: base64.b64encode(text), "base64 of base64")])
def test_damage_is_named(life, ec_key, content, word):
    _, (note,) = taken(life, content(pem(ec_key)), id="20")
    assert "app.key" in note and word in note


REFUSED = {
    "cut off": (lambda key: pem(key)[:100], "END line is missing", "another copy"),
    "public": (lambda key: key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo), "a public key", "private key"),
    "OpenSSH": (lambda key: pem(key, NOTHING, serialization.PrivateFormat.OpenSSH), "OpenSSH's own", "ssh-keygen"),
    "two": (lambda key: pem(key) + pem(key), "2 private keys", "in a copy"),
    "empty": (lambda key: b"", "empty", ""),
    "too large": (lambda key: b"A" * 300_000, "longer than 262144 bytes", ""),
    "small": (lambda _: pem(softkey.rsa_key(1024)), "1024 bits", "key generate"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_costs_no_pin(life, ec_key, name):
    content, word, hint = REFUSED[name]
    result = bring_in(life, content(ec_key), shim="")
    refused(result, 3, "key file", word, hint=hint)
    assert not result.calls


@pytest.mark.parametrize("form", ["PFX", "encrypted PKCS #8", "traditional, encrypted"])
def test_a_wrong_password(life, ec_key, form, tmp_path):
    (tmp_path / "wrong").write_text("wrong")
    os.chmod(tmp_path / "wrong", 0o600)
    result = bring_in(life, FORMS[form](ec_key), shim="", password_source=f"file:{tmp_path / 'wrong'}")
    refused(result, 3, "the password is wrong", hint="--password-source")
    assert not result.calls and len(objects(life)) == 2


@pytest.mark.parametrize("source, status, word", [
    (PASSWORD, 3, "--password-source must be"), ("pinentry", 3, "--password-source must be"),
    ("none", 3, "--password-source must be"), ("env:NOSUCH", 3, "the password's environment variable NOSUCH"),
    ("file:/nonexistent", 3, "the password file '/nonexistent'"), ("fd:x", 3, "--password-source fd:N"),
    (None, 3, "no terminal to ask for the password on")])
def test_where_no_password_comes_from(life, ec_key, source, status, word):
    refused(bring_in(life, pfx(ec_key), password_source=source), status, word)


def test_a_person_is_asked_for_the_password(life, ec_key):
    path = life.folder.write("app.pfx", pfx(ec_key))
    with Terminal(arguments(life, "key", "import", id="20", **{"in": path}), life.environment()) as person:
        person.wait_for_question()
        assert f"Password of {path}: ".encode() in person.shown
        person.type(f"{PASSWORD}\n")
        status, out, _ = person.finish()
    assert status == 0 and out.strip().endswith(";id=%20")
    assert PASSWORD.encode() not in person.shown


def test_a_name_that_is_taken(life, ec_key):
    before = objects(life)
    for name in ({"id": "01"}, {"label": "assertion"}):
        result = bring_in(life, pem(ec_key), shim="", **name)
        refused(result, 3, "a private key with this id or label already", hint="--replace")
        assert result.calls["C_CreateObject"] == 0 and objects(life) == before


def test_replace(life, rsa_key):
    result = bring_in(life, pem(rsa_key), shim="", id="01", label="assertion", replace=True)
    assert result.status == 0
    calls = life.module_saw().split()
    assert calls.index("C_CreateObject") < calls.index("C_DestroyObject")
    assert [(key["type"], key["id"]) for key in keys(life).values()] == [("RSA", "%01")]
    assert sorted(kind for kind, *_ in objects(life)) == ["Private Key", "Public Key"]


@pytest.mark.parametrize("nth, n_gone", [(1, 0), (2, 1), (3, 2)])
@pytest.mark.parametrize("code, name", [("0xE2", "CKR_TOKEN_WRITE_PROTECTED"), ("0x54", "CKR_FUNCTION_NOT_SUPPORTED")])
def test_after_a_failure_nothing_is_left(life, ec_key, nth, n_gone, code, name):
    """Private key, public key, certificate: whichever the token does not take, and the old key stays."""
    before = objects(life)
    result = bring_in(life, pfx(ec_key, softkey.certificate(ec_key)), shim=f"C_CreateObject={code}@{nth}",
                      with_certificate=True, id="01", replace=True)
    refused(result, 4, "C_CreateObject failed", name)
    assert (result.calls["C_DestroyObject"], objects(life)) == (n_gone, before)
    assert ("it was destroyed again" in result.err) == (n_gone > 0)


def test_what_failed_once_is_done_again_from_the_start(life, ec_key):
    """A device that is short of memory is looked for anew, and the half that was there is gone."""
    result = bring_in(life, pem(ec_key), shim="C_CreateObject=0x31@2", id="20")
    assert result.status == 0 and result.calls["C_DestroyObject"] == 1
    assert sorted(kind for kind, key_id, *_ in objects(life) if key_id == "20") == ["Private Key", "Public Key"]


def test_what_could_not_be_destroyed_is_said(life, ec_key):
    result = bring_in(life, pem(ec_key), shim="C_CreateObject=0xE2@2 C_DestroyObject=0xE2", id="20")
    refused(result, 4, "could NOT be destroyed")


@pytest.mark.parametrize("fault, name", [("CKA_EXTRACTABLE=true", "CKA_EXTRACTABLE"),
                                         ("CKA_SENSITIVE=false", "CKA_SENSITIVE")])
def test_a_key_that_would_not_stay_is_destroyed_again(life, ec_key, fault, name):
    before = objects(life)
    result = bring_in(life, pem(ec_key), shim=fault, id="09")
    refused(result, 3, name, "it was destroyed again", hint="policy")
    assert objects(life) == before


def test_a_token_that_claims_too_much_is_not_believed(life, ec_key):
    """CKA_LOCAL of a key that was in a file a moment ago."""
    _, (warning,) = taken(life, pem(ec_key), shim="0x163=true", id="09")
    assert "its claims prove nothing" in warning


@pytest.mark.parametrize("code", ["0x12", "0x13", "0xD1"])
def test_a_module_that_will_not_be_told(life, ec_key, code):
    """SoftHSM then makes such a key of its own accord; what it made is looked at as ever."""
    result = bring_in(life, pem(ec_key), shim=f"C_CreateObject={code}@1", id="09")
    assert result.status == 0 and result.calls["C_CreateObject"] == 3
    assert keys(life)["%09"]["claimed_by_token"]["extractable"] is False


def test_without_a_certificate_in_the_file(life, ec_key):
    result = bring_in(life, pem(ec_key), shim="", with_certificate=True)
    refused(result, 3, "no certificate of the key", hint="cert import")
    assert not result.calls


def test_a_file_that_others_can_read(life, ec_key):
    path = life.folder.write("open.pem", pem(ec_key), mode=0o644)
    result = run(life, "key", "import", id="20", **{"in": path})
    assert result.status == 0 and "open.pem' can be read by others" in result.err


def test_the_file_must_be_named(life):
    refused(run(life, "key", "import"), 2, "--in must be given")
    refused(run(life, "key", "import", **{"in": "/nonexistent"}), 3, "the key file '/nonexistent'")
