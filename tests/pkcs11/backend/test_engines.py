# SPDX-License-Identifier: Apache-2.0
"""The two engines on one token, each the other's test; and what libp11 cannot do (pkcs11/libp11/libp11.h)."""

import os

import jws
import pytest
import signed
from hold import refusal
from token_under_test import CAN, ENGINES, KEYS

SIGNATURES = 3
UNKNOWN_TYPE, NO_PADDING = "softhsm-ed25519-beside", "softhsm-combined-only"
RSA_KEYS, EC_KEYS = ([key for key in KEYS if key.kind == kind] for kind in ("RSA", "EC"))
with_libp11 = pytest.mark.wants("libp11")


def signatures(start, key, engine, alg):
    """The same signing inputs each time: hold counts its lines."""
    process = start(key, engine=engine, alg=alg)
    answers = [process.sign() for _ in range(SIGNATURES)]
    assert [answer for answer in answers if answer.jws is None] == [], process.log()
    return [answer.jws for answer in answers]


def verify_both(start, key, alg):
    """Signatures that differ each time, over the same input."""
    ours, theirs = (signatures(start, key, engine, alg) for engine in ("cryptoki", "libp11"))
    for one, other in zip(ours, theirs):
        assert signed.read(one, key.certificate) == signed.read(other, key.certificate)
        assert one != other and one.rpartition(".")[0] == other.rpartition(".")[0]


@with_libp11
@pytest.mark.parametrize("alg", ("RS256", "RS384", "RS512"))
@pytest.mark.parametrize("key", RSA_KEYS, ids=str)
def test_pkcs1_signatures_of_both_are_the_same_bytes(start, key, alg):
    ours, theirs = (signatures(start, key, engine, alg) for engine in ("cryptoki", "libp11"))
    assert ours == theirs and len(set(ours)) == SIGNATURES
    for text in ours:
        assert signed.read(text, key.certificate)[0]["alg"] == alg


@with_libp11
@pytest.mark.wants("ps256")
@pytest.mark.parametrize("key", RSA_KEYS, ids=str)
def test_pss_signatures_of_both_are_good(start, key):
    verify_both(start, key, "PS256")


@with_libp11
@pytest.mark.wants("es256")
@pytest.mark.parametrize("key", EC_KEYS, ids=str)
def test_ecdsa_signatures_of_both_are_good(start, key):
    verify_both(start, key, "ES256")


@with_libp11
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_the_certificate_is_found_the_same_way(start, key):
    """Settled before either engine signs; without one on the token both say so."""
    if not key.is_stored:
        said = [refusal(start.folder, key, engine=engine, certificate=None) for engine in ENGINES]
        assert {(one.status, one.message) for one in said} == {(said[0].status, said[0].message)}
        assert said[0].status == "certificate"
        return
    for engine in ENGINES:
        answer = start(key, engine=engine, certificate=None).sign()
        assert signed.read(answer.jws, key.certificate)


@with_libp11
def test_threads_beyond_the_sessions_wait(start):
    answers = start(KEYS[0], engine="libp11", threads=32, signatures=96, sessions=2).all()
    assert [answer for answer in answers if answer.jws is None] == []
    assert len({jws.parse(answer.jws).claims["jti"] for answer in answers}) == 96


@pytest.mark.wants(UNKNOWN_TYPE)
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_key_of_an_unknown_type_hides_the_others_from_libp11(start, key):
    """From 0.4.13 on it looks for the one key, and finds it."""
    if os.environ["LIBP11_SEARCHES"] == "yes":
        assert signed.read(start(key, engine="libp11").sign().jws, key.certificate)
    else:
        answer = refusal(start.folder, key, engine="libp11")
        assert answer.status == "key_refused" and "a type that it does not know" in answer.message
    assert signed.read(start(key).sign().jws, key.certificate)


@pytest.mark.wants(NO_PADDING)
@pytest.mark.parametrize("key", RSA_KEYS, ids=str)
def test_a_token_that_hashes_itself_is_not_for_libp11(start, key):
    answer = refusal(start.folder, key, engine="libp11")
    assert answer.status == "algorithm" and "CKM_RSA_PKCS_PSS" in answer.message
    assert signed.read(start(key).sign().jws, key.certificate)


@pytest.mark.wants(NO_PADDING)
@pytest.mark.parametrize("key", EC_KEYS, ids=str)
def test_the_curves_of_that_token_are(start, key):
    verify_both(start, key, "ES256")
