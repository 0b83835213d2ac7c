# SPDX-License-Identifier: Apache-2.0
"""Runs the cases: one file a provider, one object a case; README.md says what stands in it.

A case is compared whole: every request that was sent, every field of the form, every member of header and
claims, the exit status and all of stderr. What cannot be known beforehand has a name in braces, and the
names are worked out here with python3-cryptography, never with keystay.
"""

import base64
import hashlib
import json
import pathlib
import re
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

import jws
import wire
from cli import environment, run

HERE = pathlib.Path(__file__).parent
TIME_TOLERANCE_S = 30  # between the moment that is noted here and the one of the assertion
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def _cases():
    for path in sorted(HERE.glob("*.json")):
        for name, case in json.loads(path.read_text(encoding="utf-8")).items():
            yield pytest.param(path.stem, case, id=f"{path.stem}: {name}")


def _jwk_thumbprint(key):
    """RFC 7638."""
    def number(value, width=None):
        return jws.b64url_encode(value.to_bytes(width or (value.bit_length() + 7) // 8, "big"))

    numbers = key.public_numbers()
    if isinstance(key, ec.EllipticCurvePublicKey):
        members = {"crv": "P-256", "kty": "EC", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}
    else:
        members = {"e": number(numbers.e), "kty": "RSA", "n": number(numbers.n)}
    text = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return jws.b64url_encode(hashlib.sha256(text.encode("ascii")).digest())


def _names(server, folder):
    """What the names in braces stand for."""
    certificate = folder.certificate()
    der = certificate.public_bytes(Encoding.DER)
    sha1, sha256 = hashlib.sha1(der), hashlib.sha256(der)
    return {
        "server": server.url,
        "cacert": server.cacert,
        "x5t": jws.b64url_encode(sha1.digest()),
        "x5t#S256": jws.b64url_encode(sha256.digest()),
        "sha1-hex": sha1.hexdigest().upper(),
        "x5c": base64.b64encode(der).decode("ascii"),
        "jwk": _jwk_thumbprint(certificate.public_key()),
    }


def _fill(value, names):
    """The value with its names replaced; what is left in braces is compared by _check."""
    if isinstance(value, dict):
        return {name: _fill(member, names) for name, member in value.items()}
    if isinstance(value, list):
        return [_fill(item, names) for item in value]
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace("{" + name + "}", text)
    return value


def _lines(keys):
    return [f"{name} = {value}" for name, value in keys.items()]


def _profile(case, folder, names, path):
    """The configuration file of a case: what it says, and where key and server are."""
    keys = {
        "client_id": "backup",
        "cacert": names["cacert"],
        "module": folder.module,
        "key": "pkcs11:object=assertion",
        "certificate": folder.file("cert.pem"),
        "pin_source": folder.pin_source,
    } | case["profile"]
    lines = ["[defaults]", *_lines(case.get("defaults", {})), "[profile case]", *_lines(keys)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(0o600)


def _run(case, folder, tmp_path):
    env = environment({"SOFTHSM2_CONF": folder.conf, "KEYSTAY_STATE_DIR": str(tmp_path / "state")})
    started = int(time.time())
    arguments = [case.get("command", "token"), "case", "--config", str(tmp_path / "case.conf"), "--cache", "none"]
    return started, run(*arguments, env=env)


def _without_moments(text):
    """What stderr says, with what differs from run to run in braces."""
    text = UUID.sub("{uuid}", text)
    text = re.sub(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z", "{time}", text)
    return re.sub(r"for [0-9]+ s more", "for {seconds} s more", text)


def _normal(claims):
    """The claims with what differs from run to run in braces again, and the moment that it was signed at."""
    signed = claims.get("iat", claims.get("nbf"))
    normal = {}
    for name, value in claims.items():
        if name in ("iat", "nbf", "exp"):
            assert type(value) is int, claims
            value = f"{{now{value - signed:+d}}}" if value != signed else "{now}"
        elif name == "jti":
            assert UUID.fullmatch(value), value
            value = "{uuid}"
        normal[name] = value
    return normal, signed


def _check_assertion(text, expected, folder, started):
    parsed = jws.parse(text)
    algorithm = jws.ALGORITHMS[parsed.header["alg"]]
    assert jws.is_signed_by(parsed, algorithm, folder.certificate().public_key())
    claims, signed = _normal(parsed.claims)
    due = started - expected.get("backdate_s", 0)
    assert parsed.header == expected["header"]
    assert claims == expected["claims"]
    assert abs(signed - due) <= TIME_TOLERANCE_S


def _form(request):
    """The fields in their order, without the assertion, and the assertion."""
    fields = wire.form_pairs(request)
    texts = [value for name, value in fields if name in ("assertion", "client_assertion")]
    shown = [f"{name}={'{assertion}' if value in texts else value}" for name, value in fields]
    return shown, texts[0]


def _check_requests(case, asked, folder, started):
    expected = case.get("requests", [])
    lines = [f"{request.method} {request.path}" for request in asked]
    assert lines == [wanted["line"] for wanted in expected]
    for wanted, request in zip(expected, asked):
        assert request.headers["accept"] == "application/json"
        assert request.query == ""
        if request.method == "POST":
            fields, text = _form(request)
            assert fields == wanted["form"]
            _check_assertion(text, case["assertion"], folder, started)
        else:
            assert request.body == b""


@pytest.mark.parametrize("provider, case", _cases())
def test_case(provider, case, case_server, folders, tmp_path):
    folder = folders(case.get("key", "rsa"))
    names = _names(case_server, folder)
    case = _fill(case, names)
    case["profile"] = {"provider": provider} | case["profile"]
    _profile(case, folder, names, tmp_path / "case.conf")
    case_server.play(case.get("answers", []))
    started, result = _run(case, folder, tmp_path)
    assert _without_moments(result.err) == "".join(f"{line}\n" for line in case.get("stderr", [])), result
    assert result.status == case["exit"], result
    _check_requests(case, case_server.asked(), folder, started)
    if case.get("command") == "assertion" and result.status == 0:
        _check_assertion(result.out.strip(), case["assertion"], folder, started)
    else:
        assert result.out == "".join(f"{line}\n" for line in case.get("stdout", []))


def _providers():
    """The rows of the table, as the program itself names them when it is given one that it lacks."""
    words = run("token", "--provider", "none").err.partition("must be one of:")[2].split()
    assert len(words) > 1
    return words


def test_every_provider_has_a_case():
    assert sorted(path.stem for path in HERE.glob("*.json")) == sorted(_providers())


def test_every_provider_is_given_a_token():
    """Not only refused: a case of each ends with a token."""
    for path in HERE.glob("*.json"):
        cases = json.loads(path.read_text(encoding="utf-8")).values()
        assert any(case["exit"] == 0 and case.get("requests") for case in cases), path.name
