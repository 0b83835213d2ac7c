# SPDX-License-Identifier: Apache-2.0
"""Keys, certificates and commands: what must hold on every module alike."""

import cryptoki as ck
import pytest
import signed
from cli import refused
from token_under_test import AMBIGUOUS, CAN, CLIENT, KEYS, LOOSE_KEYS, ask_token

# Algorithm: (type of key, whether P11_CAN promises it).
PROMISES = {
    "RS256": ("RSA", "rs256" in CAN),
    "RS384": ("RSA", bool(CAN & {"rsa-pkcs", "raw-rsa"})),
    "RS512": ("RSA", bool(CAN & {"rsa-pkcs", "raw-rsa"})),
    "PS256": ("RSA", "ps256" in CAN),
    "ES256": ("EC", "es256" in CAN),
}
EVERY_KEY = pytest.mark.parametrize("key", KEYS, ids=str)
STORED_KEYS = pytest.mark.parametrize("key", [key for key in KEYS if key.is_stored], ids=str)
OTHER_KEYS = pytest.mark.parametrize("key", [key for key in KEYS if not key.is_stored], ids=str)


def promised(key):
    return {alg for alg, (kind, is_promised) in PROMISES.items() if kind == key.kind and is_promised}


def claims_of(key):
    """Whether it says yes to each."""
    said = ask_token(key, ck.CKA_LOCAL, ck.CKA_ALWAYS_SENSITIVE, ck.CKA_NEVER_EXTRACTABLE)
    return [value == b"\1" for value in said]


def the_token(backend, key):
    module, = backend.run("key list", "--format", "json", key=key.token_uri).json["modules"]
    token, = module["tokens"]
    return token


@pytest.mark.parametrize("alg", PROMISES)
@EVERY_KEY
def test_signs_what_the_token_can_and_refuses_the_rest(backend, key, alg):
    result = backend.assertion(key, alg=alg)
    if alg not in promised(key):
        refused(result, 3, f"cannot sign {alg}")
        return
    header, claims = signed.read(result.token, key.certificate)
    assert header["alg"] == alg and header["x5t#S256"] == signed.sha256(key.certificate)
    assert claims["iss"] == claims["sub"] == CLIENT[3]


@pytest.mark.wants("stored")
@STORED_KEYS
def test_finds_the_certificate_on_the_token(backend, key):
    header, _ = signed.read(backend.assertion(key, certificate=None).token, key.certificate)
    assert header["x5t#S256"] == signed.sha256(key.certificate)


@pytest.mark.wants("not-stored")
@OTHER_KEYS
def test_says_that_the_token_has_no_certificate_for_the_key(backend, key):
    refused(backend.assertion(key, certificate=None), 3, "no certificate", hint="--certificate FILE")


@EVERY_KEY
def test_refuses_the_certificate_of_another_key(backend, key):
    other = next(other for other in KEYS + LOOSE_KEYS if other.path != key.path)
    refused(backend.assertion(key, certificate=other.path), 3, "do")


@pytest.mark.wants("loose-keys")
@pytest.mark.parametrize("key", LOOSE_KEYS, ids=str)
def test_a_key_that_the_token_would_hand_out_is_for_trials_only(backend, key):
    refused(backend.assertion(key), 3, "hand this private key out", hint="--allow-extractable")
    signed.read(backend.assertion(key, allow_extractable=True).token, key.certificate)


@pytest.mark.wants("ambiguous")
@pytest.mark.parametrize("uri", AMBIGUOUS)
def test_does_not_guess(backend, uri):
    result = refused(backend.assertion(KEYS[0]._replace(uri=uri)), 3, "does not guess", hint="add ;")
    assert result.err.count("\n  ") >= 3, result.err  # two to choose from, and the hint


@EVERY_KEY
def test_where_the_key_was_made_is_what_the_token_says(backend, key):
    result = backend.assertion(key, require="generated-on-token")
    if all(claims_of(key)):
        signed.read(result.token, key.certificate)
    else:
        refused(result, 3, "CKA_LOCAL")


@EVERY_KEY
def test_key_list_shows_the_key(backend, key):
    token = the_token(backend, key)
    shown = {(entry["id"], entry["label"]): entry for entry in token["keys"]}
    matching = [entry for (key_id, _), entry in shown.items() if key_id.lower() == key.id_text.lower()]
    assert len(matching) == 1 and matching[0]["type"] == key.kind, shown
    assert promised(key) <= set(matching[0]["algorithms"])
    assert ("certificate" in matching[0]) == key.is_stored
    assert matching[0]["claimed_by_token"]["extractable"] is False


@pytest.mark.wants("softhsm-thousand-keys")
def test_key_list_searches_once_for_all_keys(backend):
    """A search of its own for each key would make a list of a thousand take a quarter of a minute. And SoftHSM reads all
    of its store whenever it is initialised."""
    calls = backend.calls(lambda **more: backend.run("key list", "--format", "json", key=KEYS[0].token_uri, **more))
    assert calls.count("C_FindObjectsInit") <= 10 and calls.count("C_Initialize") == 1
    assert 1000 < len(calls) < 1050, len(calls)


@EVERY_KEY
def test_doctor_has_no_complaint(backend, key):
    result = backend.run("doctor", *CLIENT, "--offline", key=key.uri, certificate=key.path, alg=key.alg)
    assert result.status == 0 and "\nfail " not in result.out, result
    assert "it signed an assertion" in result.out


@pytest.mark.wants("loose-keys")
def test_doctor_says_what_is_wrong(backend):
    """Also when nobody is at a terminal."""
    key = LOOSE_KEYS[0]
    result = backend.run("doctor", *CLIENT, "--offline", key=key.uri, certificate=key.path, alg=key.alg)
    assert result.status == 3, result
    assert "\nfail " in result.out and "hand this private key out" in result.out, result


@pytest.mark.wants("softhsm-ed25519-beside")
def test_a_key_of_a_type_that_keystay_does_not_use(backend):
    token = the_token(backend, KEYS[0])
    entry, = [entry for entry in token["keys"] if entry["id"] == "%03"]
    assert entry["type"] == "other" and entry["algorithms"] == []
    alien = KEYS[0]._replace(uri=f"{KEYS[0].token_uri};id=%03")
    refused(backend.assertion(alien), 3)
    refused(backend.assertion(alien, certificate=None), 3)
