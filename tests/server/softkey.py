# SPDX-License-Identifier: Apache-2.0
"""A client with a software key, to test the server with: it can sign what no honest client would.

Every part of an assertion may be replaced or left out (None) before it is signed. This is no example of how
to get a token, and nothing outside the tests of the server may rest on it.
"""

import hashlib
import json
import time
import uuid
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from jws import b64url_encode

THUMBPRINTS = {"x5t": hashlib.sha1, "x5t#S256": hashlib.sha256}
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


def rsa_key(bits=2048):
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def ec_key():
    return ec.generate_private_key(ec.SECP256R1())


def certificate(key, days_from=-1, days_to=1):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    now = datetime.utcnow()
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now + timedelta(days_from)).not_valid_after(now + timedelta(days_to))
    return builder.sign(key, hashes.SHA256())


def _merge(defaults, changes):
    return {name: value for name, value in (defaults | changes).items() if value is not None}


def signature(key, alg, signed, salt_length=None):
    digest = HASHES.get(alg[2:], hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(digest)))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    if alg.startswith("PS"):
        salt_length = digest.digest_size if salt_length is None else salt_length
        return key.sign(signed, padding.PSS(padding.MGF1(digest), salt_length), digest)
    return key.sign(signed, padding.PKCS1v15(), digest)


def sign(header, claims, key, salt_length=None):
    """Header and claims are objects, or JSON as text, which then goes out as it is."""
    parts = [part if isinstance(part, str) else json.dumps(part) for part in (header, claims)]
    signed = ".".join(b64url_encode(part.encode("utf-8")) for part in parts)
    alg = header.get("alg") if isinstance(header, dict) else None
    alg = alg if isinstance(alg, str) else "RS256"
    return f"{signed}.{b64url_encode(signature(key, alg, signed.encode('ascii'), salt_length))}"


class SoftClient:
    def __init__(self, client_id, key, cert):
        self.client_id, self.key, self.cert = client_id, key, cert

    def pem(self):
        return self.cert.public_bytes(Encoding.PEM)

    def thumbprint(self, name):
        return b64url_encode(THUMBPRINTS[name](self.cert.public_bytes(Encoding.DER)).digest())

    def header(self, alg="RS256", names=("x5t#S256",), **changes):
        thumbprints = {name: self.thumbprint(name) for name in names}
        return _merge({"alg": alg, "typ": "JWT"} | thumbprints, changes)

    def claims(self, audience, **changes):
        now = int(time.time())
        parties = {"aud": audience, "iss": self.client_id, "sub": self.client_id}
        return _merge(parties | {"jti": str(uuid.uuid4()), "nbf": now, "iat": now, "exp": now + 600}, changes)

    def assertion(self, audience, header=None, **changes):
        return sign(header or self.header(), self.claims(audience, **changes), self.key)
