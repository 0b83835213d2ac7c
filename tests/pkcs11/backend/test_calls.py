# SPDX-License-Identifier: Apache-2.0
"""How many PKCS#11 calls a cold signature takes, as OpenSC's pkcs11-spy sees them: behind a network each is a wait."""

import os
import subprocess

import cryptoki as ck
import pytest
from token_under_test import KEYS, MODULE, MODULE_ARGS, NAME, ask_token

MAKE_TOKEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../softhsm-fixtures/make-token.sh")
CALLS_MAX, MORE_WITH_CERTIFICATE, MORE_WITH_PUBLIC_KEY = 13, 6, 4


def present_tokens():
    with ck.Module(MODULE, MODULE_ARGS) as module:
        return len(module.slots())


def more_with_public_key(key):
    """openCryptoki's private keys on a curve do not tell the public half, which has to be looked for."""
    is_told = key.kind == "RSA" or NAME != "opencryptoki" or ask_token(key, ck.CKA_EC_POINT)[0]
    return 0 if is_told else MORE_WITH_PUBLIC_KEY


def sign(backend, key, **changes):
    return lambda **more: backend.assertion(key, **(changes | more))


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_cold_signature_takes_few_calls(backend, key):
    calls = backend.calls(sign(backend, key))
    assert len(calls) <= CALLS_MAX + present_tokens(), calls
    assert calls.count("C_Sign") == calls.count("C_Login") == 1


@pytest.mark.wants("stored")
@pytest.mark.parametrize("key", [key for key in KEYS if key.is_stored], ids=str)
def test_a_certificate_on_the_token_takes_a_few_more(backend, key):
    calls = backend.calls(sign(backend, key, certificate=None))
    calls_max = CALLS_MAX + MORE_WITH_CERTIFICATE + more_with_public_key(key)
    assert len(calls) <= calls_max + present_tokens(), calls


@pytest.mark.wants("softhsm-thousand-keys")
@pytest.mark.parametrize("where", ("file", "token"))
def test_a_thousand_keys_take_no_call_more_than_one(backend, where):
    """The same calls in the same order as on a token with one key."""
    small = backend.file("small")
    subprocess.run(["sh", MAKE_TOKEN, small, "--label", "keystay", "--cert-on-token"], check=True, capture_output=True)
    small_key = KEYS[0]._replace(path=f"{small}/cert.pem")
    small_token = {"pin_source": f"file:{small}/pin", "env": {"SOFTHSM2_CONF": f"{small}/softhsm2.conf"}}
    changes = {} if where == "file" else {"certificate": None}

    few = backend.calls(sign(backend, small_key, **changes), **small_token)
    many = backend.calls(sign(backend, KEYS[0], **changes))
    assert many == few
