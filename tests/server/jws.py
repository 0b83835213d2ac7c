# SPDX-License-Identifier: Apache-2.0
"""JSON Web Signatures in compact form, read without mercy (RFC 7515, RFC 7518, RFC 8725).

Base64url is unpadded and canonical, JSON has no duplicate member and no NaN, and a signature is checked by
python3-cryptography alone. This module knows nothing of claims, clients or time, and it must never choose a
key or an algorithm by itself: the caller says which key, and the table below says which algorithm fits it.
"""

import base64
import json
import re
from typing import Any, Callable, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


class Malformed(ValueError):
    """The text is not what its specification says it must be."""


class Jws(NamedTuple):
    header: dict
    claims: dict
    signed: bytes  # what the signature covers
    signature: bytes


class Algorithm(NamedTuple):
    fits: Callable[[Any], bool]  # may this public key be used with it?
    check: Callable[[Any, bytes, bytes], None]  # (key, signature, signed) -> None or InvalidSignature


def b64url_encode(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def b64url_decode(text):
    """RFC 7515 §2: no padding, no other character; and no stray bits behind the last byte."""
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise Malformed("not unpadded base64url")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64url_encode(raw) != text:
        raise Malformed("base64url with stray bits at its end")
    return raw


def _members(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("a JSON member occurs twice")
    return members


def _refuse_constant(name):
    raise Malformed(f"{name} is not JSON")


def json_object(raw):
    """RFC 7515 §4: the member names within the JOSE header MUST be unique. Here in the claims as well."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_members, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not acceptable JSON: {error}") from error
    if not isinstance(value, dict):
        raise Malformed("JSON, but not an object")
    return value


def parse(text):
    parts = text.split(".")
    if len(parts) != 3:
        raise Malformed(f"{len(parts)} parts instead of 3")
    header, claims, signature = (b64url_decode(part) for part in parts)
    signed = f"{parts[0]}.{parts[1]}".encode("ascii")
    return Jws(json_object(header), json_object(claims), signed, signature)


def _is_rsa(key):
    return isinstance(key, rsa.RSAPublicKey)


def _rs(digest):
    def check(key, signature, signed):
        key.verify(signature, signed, padding.PKCS1v15(), digest)
    return Algorithm(_is_rsa, check)


def _ps(digest):
    # RFC 7518 §3.5: MGF1 with the same hash, and a salt as long as its output.
    scheme = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)

    def check(key, signature, signed):
        key.verify(signature, signed, scheme, digest)
    return Algorithm(_is_rsa, check)


def _es(digest, curve):
    width = (curve.key_size + 7) // 8

    def fits(key):
        return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == curve.name

    def check(key, signature, signed):
        # RFC 7518 §3.4: R and S as octet strings of full width, one behind the other.
        if len(signature) != 2 * width:
            raise InvalidSignature
        r, s = (int.from_bytes(half, "big") for half in (signature[:width], signature[width:]))
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest))
    return Algorithm(fits, check)


ALGORITHMS = {
    "RS256": _rs(hashes.SHA256()),
    "RS384": _rs(hashes.SHA384()),
    "RS512": _rs(hashes.SHA512()),
    "PS256": _ps(hashes.SHA256()),
    "PS384": _ps(hashes.SHA384()),
    "PS512": _ps(hashes.SHA512()),
    "ES256": _es(hashes.SHA256(), ec.SECP256R1()),
    "ES384": _es(hashes.SHA384(), ec.SECP384R1()),
}


def is_signed_by(jws, algorithm, key):
    try:
        algorithm.check(key, jws.signature, jws.signed)
    except InvalidSignature:
        return False
    return True
