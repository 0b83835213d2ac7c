# SPDX-License-Identifier: Apache-2.0
"""Every reason for which the server must refuse a client assertion, each alone in an assertion that is else
right."""

import json
import time

import pytest

import assertion
import jws
from aadsts import Refusal
from softkey import sign, signature
from tokenapi import V1, V2

NOT_FOUND = "[Reason - The key was not found.]"


def flipped(text, index=-1):
    """The same base64url with one character changed that holds no stray bits."""
    index %= len(text)
    other = "A" if text[index] != "A" else "B"
    return text[:index] + other + text[index + 1:]


@pytest.mark.parametrize("change", [
    lambda text: text.rpartition(".")[0],
    lambda text: text + ".AAAA",
    lambda text: text + "=",
    lambda text: text + "==",
    lambda text: " " + text,
    lambda text: text + "\n",
    lambda text: text.replace(".", "A.", 1) + "A",
    lambda text: text.replace(".", ".+", 1),
])
def test_not_three_parts_of_canonical_base64url(api, refused, change):
    refused(api.post(assertion=change(api.client.assertion(api.url(V2)))), 50027)


def test_stray_bits_behind_the_last_byte(api, refused):
    """A signature of 256 bytes ends in a character of which two bits count for nothing."""
    text = api.client.assertion(api.url(V2))
    stray = chr(ord(text[-1]) + 1)
    assert text[-1] in "AQgw"
    assert "stray bits" in refused(api.post(assertion=text[:-1] + stray), 50027)["error_description"]


@pytest.mark.parametrize("part", ["[]", "null", '"x"', "{", "", "{}x", "\ufeff{}", '{"x":NaN}', "[" * 100000])
@pytest.mark.parametrize("place", ["header", "claims"])
def test_not_a_json_object(api, refused, part, place):
    parts = {"header": api.client.header(), "claims": api.client.claims(api.url(V2))} | {place: part}
    refused(api.post(assertion=sign(parts["header"], parts["claims"], api.client.key)), 50027)


def test_duplicate_header_member(api, refused):
    header = json.dumps(api.client.header())[:-1] + ', "alg": "RS256"}'
    refused(api.post(assertion=sign(header, api.client.claims(api.url(V2)), api.client.key)), 50027)


@pytest.mark.parametrize("extra", ['"jti": "other"', '"x": {"y": 1, "y": 1}'])
def test_duplicate_claim(api, refused, extra):
    claims = json.dumps(api.client.claims(api.url(V2)))[:-1] + f", {extra}}}"
    refused(api.post(assertion=sign(api.client.header(), claims, api.client.key)), 50027)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_constant_that_is_not_json(api, refused, value):
    refused(api.post(assertion=api.client.assertion(api.url(V2), x=value)), 50027)


@pytest.mark.parametrize("alg", ["none", "HS256", "rs256", "ES256", "ES384", "EdDSA", ""])
def test_unsupported_algorithm(api, refused, alg):
    header = api.client.header(alg=alg)
    body = refused(api.post(assertion=api.client.assertion(api.url(V2), header)), 5002738)
    assert f"'{alg}'" in body["error_description"]


def test_es256_with_its_own_key(api, clients, refused):
    client = clients["ec"]
    text = client.assertion(api.url(V2), client.header(alg="ES256"))
    refused(api.post(client=client, assertion=text), 5002738)


@pytest.mark.parametrize("alg", [None, 1, ["RS256"]])
def test_algorithm_that_is_no_string(api, refused, alg):
    header = api.client.header() | {"alg": alg}
    refused(api.post(assertion=api.client.assertion(api.url(V2), header)), 50027)


@pytest.mark.parametrize("changes", [{"typ": None}, {"typ": "at+jwt"}, {"typ": ["JWT"]}, {"crit": ["exp"]}])
def test_header_members(api, refused, changes):
    refused(api.post(assertion=api.client.assertion(api.url(V2), api.client.header(**changes))), 50027)


def key_not_found(refused, response, note):
    body = refused(response, 700027, 401, "invalid_client")
    assert note in body["error_description"]
    return body


def test_no_thumbprint(api, refused):
    header = api.client.header(names=(), kid=api.client.thumbprint("x5t"))
    key_not_found(refused, api.post(assertion=api.client.assertion(api.url(V2), header)), NOT_FOUND)


@pytest.mark.parametrize("name, change", [
    ("x5t", lambda text: text + "="),
    ("x5t#S256", lambda text: text + "="),
    ("x5t", lambda text: text[:-2]),
    ("x5t#S256", lambda text: text + "AA"),
    ("x5t", lambda text: jws.b64url_decode(text).hex()),
    ("x5t#S256", lambda text: "+/" + text[2:]),
    ("x5t", lambda text: [text]),
])
def test_thumbprint_that_cannot_be_parsed(api, refused, name, change):
    header = api.client.header(names=("x5t", "x5t#S256")) | {name: change(api.client.thumbprint(name))}
    key_not_found(refused, api.post(assertion=api.client.assertion(api.url(V2), header)), NOT_FOUND)


def test_sha256_thumbprint_as_x5t(api, refused):
    header = api.client.header(names=(), x5t=api.client.thumbprint("x5t#S256"))
    key_not_found(refused, api.post(assertion=api.client.assertion(api.url(V2), header)), NOT_FOUND)


@pytest.mark.parametrize("name", ["x5t", "x5t#S256"])
@pytest.mark.parametrize("names", [(), ("x5t", "x5t#S256")])
def test_each_thumbprint_must_be_registered(api, refused, name, names):
    wrong = flipped(api.client.thumbprint(name), 3)
    header = api.client.header(names=names) | {name: wrong}
    note = f"Thumbprint of key used by client: '{jws.b64url_decode(wrong).hex().upper()}'"
    body = key_not_found(refused, api.post(assertion=api.client.assertion(api.url(V2), header)), note)
    assert "The key was not found" in body["error_description"]


def test_two_thumbprints_of_two_certificates(api, clients, refused):
    header = api.client.header(names=("x5t",)) | {"x5t#S256": clients["second"].thumbprint("x5t#S256")}
    response = api.post(assertion=api.client.assertion(api.url(V2), header))
    key_not_found(refused, response, "The key was not found")


def test_certificate_of_another_client(api, clients, refused):
    text = clients["weak"].assertion(api.url(V2), iss=api.client.client_id, sub=api.client.client_id)
    key_not_found(refused, api.post(assertion=text), "The key was not found")


@pytest.mark.parametrize("name", ["expired", "early"])
def test_certificate_out_of_its_time(api, clients, refused, name):
    response = api.post(client=clients[name])
    key_not_found(refused, response, "The key used is expired")


def test_signature_of_another_key(api, clients, refused):
    text = sign(api.client.header(), api.client.claims(api.url(V2)), clients["second"].key)
    body = key_not_found(refused, api.post(assertion=text), "Key was found, but use of the key to verify")
    thumbprint = jws.b64url_decode(api.client.thumbprint("x5t#S256")).hex().upper()
    assert f"'{thumbprint}', Found key 'Start=" in body["error_description"]


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
@pytest.mark.parametrize("part", [1, 2])
def test_changed_after_signing(api, refused, alg, part):
    parts = api.client.assertion(api.url(V2), api.client.header(alg)).split(".")
    if part == 1:
        claims = jws.b64url_decode(parts[1]).replace(b'"nbf"', b'"x":0,"nbf"')
        parts[1] = jws.b64url_encode(claims)
    else:
        parts[2] = flipped(parts[2], 100)
    key_not_found(refused, api.post(assertion=".".join(parts)), "Key was found, but")


@pytest.mark.parametrize("salt_length", [0, 20, 222])
def test_pss_salt_of_another_length(api, refused, salt_length):
    text = sign(api.client.header("PS256"), api.client.claims(api.url(V2)), api.client.key, salt_length)
    key_not_found(refused, api.post(assertion=text), "Key was found, but")


@pytest.mark.parametrize("claimed, real", [("RS256", "PS256"), ("PS256", "RS256"), ("RS384", "RS256")])
def test_signature_of_another_algorithm(api, refused, claimed, real):
    signed = ".".join(api.client.assertion(api.url(V2), api.client.header(claimed)).split(".")[:2])
    other = jws.b64url_encode(signature(api.client.key, real, signed.encode("ascii")))
    key_not_found(refused, api.post(assertion=f"{signed}.{other}"), "Key was found, but")


def test_ec_certificate_under_rs256(api, clients, refused):
    refused(api.post(client=clients["ec"]), 5002730)


def test_weak_rsa_key(api, clients, refused):
    refused(api.post(client=clients["weak"]), 50032)


@pytest.mark.parametrize("path, audience", [
    (V2, lambda api: api.url(V1)),
    (V1, lambda api: api.url(V2)),
    (V2, lambda api: api.url(V2) + "/"),
    (V2, lambda api: api.url(V2).upper()),
    (V2, lambda api: api.url(V2).replace("127.0.0.1", "localhost")),
    (V2, lambda api: api.url(V2).replace("https", "http")),
    (V2, lambda api: "/".join(api.url(V2).split("/")[:4]) + "/v2.0"),
    (V2, lambda api: api.url("/contoso.example/oauth2/v2.0/token")),
    (V2, lambda api: ""),
])
def test_audience(api, refused, path, audience):
    text = api.client.assertion(audience(api))
    refused(api.post(path, assertion=text), 700023, 401, "invalid_client")


@pytest.mark.parametrize("changes", [{"aud": None}, {"iss": None}, {"sub": None}, {"iss": 7, "sub": 7}])
def test_parties_must_be_strings(api, refused, changes):
    refused(api.post(assertion=api.client.assertion(api.url(V2), **changes)), 50027)


def test_audience_in_an_array(api, refused):
    refused(api.post(assertion=api.client.assertion(api.url(V2), aud=[api.url(V2)])), 50027)


@pytest.mark.parametrize("changes", [{"sub": "other"}, {"iss": "other"}])
def test_subject_is_not_the_issuer(api, refused, changes):
    refused(api.post(assertion=api.client.assertion(api.url(V2), **changes)), 50048, 401, "invalid_client")


def test_issuer_is_not_the_client(api, refused):
    text = api.client.assertion(api.url(V2), iss="other", sub="other")
    refused(api.post(assertion=text), 700021, 401, "invalid_client")


@pytest.mark.parametrize("name, offset_s", [("exp", 0), ("exp", -1), ("nbf", 30), ("iat", 30)])
def test_out_of_time(api, refused, name, offset_s):
    now = int(time.time())
    times = {"nbf": now - 60, "iat": now - 60, "exp": now + 600} | {name: now + offset_s}
    response = api.post(assertion=api.client.assertion(api.url(V2), **times))
    text = refused(response, 700024, 401, "invalid_client")["error_description"]
    for moment in ("nbf", "exp"):
        assert time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", time.gmtime(times[moment])) in text
    assert "Current time: " in text


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("make", [lambda t: None, float, str, lambda t: True, lambda t: [t], lambda t: -t,
                                  lambda t: 10 ** 12 * t, lambda t: 10 ** 5000])
def test_times_that_are_no_proper_integers(api, refused, name, make):
    claims = api.client.claims(api.url(V2), **{name: make(int(time.time()) + (600 if name == "exp" else 0))})
    if name in claims and claims[name] == 10 ** 5000:
        claims = json.dumps(claims | {name: 1}).replace(f'"{name}": 1', f'"{name}": 1' + "0" * 5000)
    refused(api.post(assertion=sign(api.client.header(), claims, api.client.key)), 50027)


@pytest.mark.parametrize("nbf_s, exp_s", [(0, 86401), (-86400, 1), (3, 2)])
def test_lifetime(api, refused, nbf_s, exp_s):
    now = int(time.time()) + 1
    text = api.client.assertion(api.url(V2), nbf=now + nbf_s, exp=now + exp_s)
    assert "lifetime" in refused(api.post(assertion=text), 50027)["error_description"]


@pytest.mark.parametrize("jti", [None, "", 7, "x" * 65])
def test_jti(api, refused, jti):
    refused(api.post(assertion=api.client.assertion(api.url(V2), jti=jti)), 50027)


def test_replay(api, refused):
    text = api.client.assertion(api.url(V2))
    assert api.post(assertion=text).status == 200
    assert "used before" in refused(api.post(assertion=text), 50027)["error_description"]


def test_jti_used_twice_in_different_assertions(api, refused):
    assert api.post(assertion=api.client.assertion(api.url(V2), jti="once")).status == 200
    refused(api.post(assertion=api.client.assertion(api.url(V2), jti="once", x=1)), 50027)


def test_replay_is_remembered_until_the_assertion_expires():
    guard = assertion.ReplayGuard()
    used = assertion.Assertion({}, {"iss": "i", "jti": "j", "exp": 100})
    guard.admit(used, 0)
    with pytest.raises(Refusal):
        guard.admit(used, 99)
    guard.admit(used, 100)


def test_es256_is_verified_where_it_is_allowed(clients):
    client = clients["ec"]
    text = client.assertion("aud", client.header(alg="ES256"))

    def verify(text):
        return assertion.verify(text, client.client_id, "aud", [client.cert], time.time(), {"ES256"})

    assert verify(text).header["alg"] == "ES256"
    signed, _, encoded = text.rpartition(".")
    raw = jws.b64url_decode(encoded)
    longer = jws.b64url_encode(raw[:32] + b"\0" + raw[32:])  # the same two numbers
    for wrong in (flipped(text, -20), text[:-2], f"{signed}.{longer}"):
        with pytest.raises(Refusal, match="Key was found, but"):
            verify(wrong)
