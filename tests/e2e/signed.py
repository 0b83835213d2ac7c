# SPDX-License-Identifier: Apache-2.0
"""Reads a client assertion and verifies its signature with python-cryptography, not with keystay."""

import hashlib

import jws
from cryptography.hazmat.primitives.serialization import Encoding


def thumbprint(certificate, digest):
    return jws.b64url_encode(digest(certificate.public_bytes(Encoding.DER)).digest())


def sha256(certificate):
    return thumbprint(certificate, hashlib.sha256)


def sha1(certificate):
    return thumbprint(certificate, hashlib.sha1)


def read(text, certificate):
    """Header and claims of an assertion that the certificate's key has signed."""
    parsed = jws.parse(text)
    algorithm = jws.ALGORITHMS[parsed.header["alg"]]
    assert jws.is_signed_by(parsed, algorithm, certificate.public_key())
    return parsed.header, parsed.claims
