# SPDX-License-Identifier: Apache-2.0
"""The signed assertion itself: each member of header and claims, the algorithms, the ways to a mechanism."""

import re
import time

import pytest

import jws
import signed
from cli import CLIENT, DOMAIN, RESOURCE, TENANT, refused

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
V1 = {"scope": None, "resource": RESOURCE}


def read(result, folder):
    return signed.read(result.token, folder.certificate())


def audience(keystay, **options):
    return read(keystay.assertion(**options), keystay.folder)[1]["aud"]


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_header_has_these_members_and_no_other(keystay, main_folder, alg):
    header, _ = read(keystay.assertion(alg=alg), main_folder)
    assert header == {"alg": alg, "typ": "JWT", "x5t#S256": signed.sha256(main_folder.certificate())}


def test_thumbprints_are_of_the_certificate(keystay, main_folder):
    certificate = main_folder.certificate()
    header, _ = read(keystay.assertion(thumbprint="both"), main_folder)
    assert header["x5t#S256"] == signed.sha256(certificate)
    assert header["x5t"] == signed.sha1(certificate)


def test_claims_have_these_members_and_no_other(keystay, server, main_folder):
    _, claims = read(keystay.assertion(), main_folder)
    now = time.time()
    assert list(claims) == ["aud", "iss", "sub", "jti", "nbf", "iat", "exp"]
    assert claims["aud"] == f"{server.url}/{TENANT}/oauth2/v2.0/token"
    assert claims["iss"] == claims["sub"] == CLIENT
    assert GUID.fullmatch(claims["jti"])
    assert all(type(claims[name]) is int for name in ("nbf", "iat", "exp"))
    assert claims["nbf"] == claims["iat"] and now - 60 < claims["iat"] <= now
    assert claims["exp"] - claims["nbf"] == 600


def test_no_part_is_padded_and_nothing_is_sent(keystay, server):
    token = keystay.assertion().token
    assert token.count(".") == 2 and "=" not in token
    assert server.log() == []


def test_assertion_needs_no_scope(keystay, main_folder):
    assert read(keystay.assertion(scope=None), main_folder)[0]["alg"] == "PS256"


@pytest.mark.parametrize("lifetime", [60, 86400])
def test_lifetime(keystay, main_folder, lifetime):
    _, claims = read(keystay.assertion(lifetime=lifetime), main_folder)
    assert claims["exp"] - claims["nbf"] == lifetime


@pytest.mark.parametrize("lifetime", ["59", "86401", "600s", "-1", "0600", ""])
def test_lifetime_out_of_range(keystay, server, lifetime):
    result = keystay.assertion(lifetime=lifetime, shim="")
    refused(result, 3, "--lifetime")
    assert not result.calls


def test_audience_by_rule_and_literally(keystay, server):
    v2, v1 = (f"{server.url}/{TENANT}/oauth2/{path}" for path in ("v2.0/token", "token"))
    assert audience(keystay, audience="auto") == v2
    assert audience(keystay, audience="token-endpoint", **V1) == v1
    assert audience(keystay, audience="issuer") == f"{server.url}/{TENANT}/v2.0"
    assert audience(keystay, audience="urn:example:aud") == "urn:example:aud"
    assert audience(keystay, tenant=DOMAIN).startswith(f"{server.url}/{DOMAIN}/")


def test_an_audience_of_its_own_reaches_the_server(keystay, server):
    result = keystay.token(audience="issuer")
    refused(result, 6, "AADSTS700023", hint="--audience")
    assert server.log()[0]["assertion"]["claims"]["aud"] == f"{server.url}/{TENANT}/v2.0"


@pytest.mark.parametrize("alg, hidden, mechanism", [
    ("RS256", "-0x40", "0x1"),  # padding alone, over our digest
    ("RS256", "-0x1", "0x40"),
    ("PS256", "-0x43", "0xD"),
    ("PS256", "-0xD", "0x43"),
])
def test_each_mechanism_gives_a_good_signature(keystay, main_folder, alg, hidden, mechanism):
    result = keystay.assertion(alg=alg, shim=f"mechanisms={hidden}", extra=["--verbose"])
    assert read(result, main_folder)[0]["alg"] == alg
    assert f"with mechanism {mechanism}\n" in result.err


NO_PSS = "mechanisms=-0x43,-0xD"


def test_auto_takes_what_the_token_offers(keystay, main_folder):
    result = keystay.assertion(shim=f"{NO_PSS},-0x3")
    assert read(result, main_folder)[0]["alg"] == "RS256"


@pytest.mark.parametrize("alg, hidden", [
    ("RS256", "-0x40"), ("RS256", "-0x40,-0x1"), ("RS384", "-0x41"), ("RS384", "-0x41,-0x1"), ("RS512", "-0x42"),
    ("RS512", "-0x42,-0x1"), ("PS256", "-0x43"), ("PS256", "-0x43,-0xD"), ("PS384", "-0x44"),
    ("PS384", "-0x44,-0xD"), ("PS512", "-0x45"), ("PS512", "-0x45,-0xD"), ("PS512", "-0")])
def test_each_algorithm_with_whatever_mechanism_is_left(keystay, main_folder, alg, hidden):
    """Down to raw RSA over our own padding; read() verifies with python3-cryptography."""
    result = keystay.assertion(alg=alg, shim=f"mechanisms={hidden}")
    assert read(result, main_folder)[0]["alg"] == alg


def test_a_mechanism_that_is_listed_and_does_not_work(keystay, main_folder):
    result = keystay.assertion(alg="RS256", shim="C_SignInit=0x70@1")
    assert read(result, main_folder)[0]["alg"] == "RS256"
    assert result.calls["C_SignInit"] == 2


def test_an_algorithm_that_the_token_lacks(keystay):
    result = keystay.token(alg="PS256", shim=f"{NO_PSS},-0x3")
    refused(result, 3, "cannot sign PS256", hint="--alg")
    assert result.calls["C_SignInit"] == 0


def test_a_token_without_any_mechanism(keystay):
    hidden = ",".join(f"-0x{mechanism:X}" for mechanism in (1, 3, 0x40, 0x41, 0x42, 0xD, 0x43, 0x44, 0x45))
    result = keystay.token(shim=f"mechanisms={hidden}")
    refused(result, 3, "no mechanism")
    assert result.calls["C_SignInit"] == 0


def test_a_mechanism_that_the_key_does_not_allow_is_not_used(keystay, main_folder):
    allowed = (0x40).to_bytes(8, "little").hex()  # CKM_SHA256_RSA_PKCS
    result = keystay.assertion(shim=f"CKA_ALLOWED_MECHANISMS=0x{allowed}")
    assert read(result, main_folder)[0]["alg"] == "RS256"


def test_every_run_signs_something_new(keystay):
    one, two = (jws.parse(keystay.assertion().token).claims for _ in range(2))
    assert one["jti"] != two["jti"]
