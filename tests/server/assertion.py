# SPDX-License-Identifier: Apache-2.0
"""Client assertions, verified as strictly as their specifications allow (RFC 7523 §3, in Entra's form).

`verify` takes the assertion and everything that it must agree with, and returns it or raises a Refusal. It
holds the client to more than Entra does (integer times, one string as audience, a jti that is used once),
so that what passes here passes anywhere. It must never repair its input, and never skip a check because
another one passed.
"""

import hashlib
import threading
from datetime import datetime, timezone
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

import jws
from aadsts import Refusal

ENTRA_ALGORITHMS = frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"))
TYPES = ("JWT", "client-authentication+jwt")
THUMBPRINTS = {"x5t": hashlib.sha1, "x5t#S256": hashlib.sha256}
RSA_BITS_MIN = 2048
SKEW_S = 5
LIFETIME_MAX_S = 86400
JTI_LEN_MAX = 64
TIME_MAX_S = 253402300799  # the last second of the year 9999: later ones cannot be printed


class Assertion(NamedTuple):
    header: dict
    claims: dict

    def thumbprint_names(self):
        return [name for name in THUMBPRINTS if name in self.header]


def _malformed(detail):
    return Refusal(50027, detail=detail)


def _parse(text):
    try:
        return jws.parse(text)
    except jws.Malformed as error:
        raise _malformed(str(error)) from error


def _check_header(header, algorithms):
    alg = header.get("alg")
    if not isinstance(alg, str):
        raise _malformed("no alg in the header")
    if alg not in algorithms:
        raise Refusal(5002738, alg=alg)
    if header.get("typ") not in TYPES:
        raise _malformed("typ is neither JWT nor client-authentication+jwt")
    if "crit" in header:
        raise _malformed("crit names extensions that are not understood here")


def _thumbprints(header):
    """Every thumbprint of the header, as bytes. Entra's text tells one it cannot parse from a wrong one."""
    found = {}
    for name, digest in THUMBPRINTS.items():
        if name not in header:
            continue
        try:
            found[name] = jws.b64url_decode(header[name])
        except (jws.Malformed, TypeError):
            raise Refusal(700027, reason="The key was not found.") from None
        if len(found[name]) != digest().digest_size:
            raise Refusal(700027, reason="The key was not found.")
    if not found:
        raise Refusal(700027, reason="The key was not found.")
    return found


def _thumbprint_is(certificate, name, value):
    return THUMBPRINTS[name](certificate.public_bytes(Encoding.DER)).digest() == value


def _find_certificate(header, certificates):
    """The registered certificate that all thumbprints name, and how Entra's texts speak of it."""
    candidates = certificates
    for name, value in _thumbprints(header).items():
        note = f"Thumbprint of key used by client: '{value.hex().upper()}'"
        candidates = [cert for cert in candidates if _thumbprint_is(cert, name, value)]
        if not candidates:
            raise Refusal(700027, reason=f"The key was not found., {note}")
    return candidates[0], note


def _check_certificate(certificate, note, now_s):
    now = datetime.fromtimestamp(now_s, timezone.utc).replace(tzinfo=None)
    if not certificate.not_valid_before <= now <= certificate.not_valid_after:
        raise Refusal(700027, reason=f"The key used is expired., {note}, {_found(certificate)}")


def _found(certificate):
    start, end = certificate.not_valid_before, certificate.not_valid_after
    return f"Found key 'Start={start:%m/%d/%Y %H:%M:%S}, End={end:%m/%d/%Y %H:%M:%S}'"


def _check_signature(token, certificate, note):
    key = certificate.public_key()
    algorithm = jws.ALGORITHMS[token.header["alg"]]
    if not algorithm.fits(key):
        raise Refusal(5002730)
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < RSA_BITS_MIN:
        raise Refusal(50032, detail=f"{key.key_size} bits")
    if not jws.is_signed_by(token, algorithm, key):
        raise Refusal(700027, reason="Key was found, but use of the key to verify the signature failed., "
                                     f"{note}, {_found(certificate)}")


def _time(claims, name):
    value = claims.get(name)
    if type(value) is not int:  # bool is an int to isinstance
        raise _malformed(f"{name} is not a JSON integer")
    if not 0 <= value <= TIME_MAX_S:
        raise _malformed(f"{name} is out of range")
    return value


def _iso(time_s):
    return datetime.fromtimestamp(time_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def _check_times(claims, now_s):
    nbf, iat, exp = (_time(claims, name) for name in ("nbf", "iat", "exp"))
    if exp <= now_s or max(nbf, iat) > now_s + SKEW_S:
        raise Refusal(700024, now=_iso(now_s), valid_from=_iso(nbf), expiry=_iso(exp))
    if not 0 < exp - nbf <= LIFETIME_MAX_S:
        raise _malformed(f"a lifetime of {exp - nbf} s")


def _check_parties(claims, client_id, audience):
    for name in ("iss", "sub", "aud"):
        if not isinstance(claims.get(name), str):
            raise _malformed(f"{name} is not a JSON string")
    if claims["sub"] != claims["iss"]:
        raise Refusal(50048)
    if claims["iss"] != client_id:
        raise Refusal(700021)
    if claims["aud"] != audience:
        raise Refusal(700023, expected=audience)


def _check_jti(claims):
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= JTI_LEN_MAX:
        raise _malformed(f"jti is not a string of 1 to {JTI_LEN_MAX} characters")


def verify(text, client_id, audience, certificates, now_s, algorithms=ENTRA_ALGORITHMS):
    """RFC 7523 §3, with the certificate chosen by thumbprint from those that the client registered."""
    token = _parse(text)
    _check_header(token.header, algorithms)
    certificate, note = _find_certificate(token.header, certificates)
    _check_certificate(certificate, note, now_s)
    _check_signature(token, certificate, note)
    _check_parties(token.claims, client_id, audience)
    _check_times(token.claims, now_s)
    _check_jti(token.claims)
    return Assertion(token.header, token.claims)


class ReplayGuard:
    """RFC 7523 §3 item 7: a jti counts once, for as long as its assertion could be used again.

    Entra is not known to insist on this and has no code of its own for it; a client that passes here is safe
    with servers that do.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._expiry = {}  # (issuer, jti) -> exp

    def admit(self, assertion, now_s):
        seen = (assertion.claims["iss"], assertion.claims["jti"])
        with self._lock:
            self._expiry = {key: exp for key, exp in self._expiry.items() if exp > now_s}
            if seen in self._expiry:
                raise _malformed("jti was used before")
            self._expiry[seen] = assertion.claims["exp"]
