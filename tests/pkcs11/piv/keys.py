# SPDX-License-Identifier: Apache-2.0
"""Private keys as a card holds them: by PIV algorithm number, raw operations only, public half as PIV encodes it.

A card never pads and never hashes: for RSA it raises a block to the private exponent, for a curve it signs a number.
So does this, because what a module pads or hashes wrongly must show in the signature.
"""

import dataclasses

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tlv import parse_dict, tlv

RSA_2048, EC_P256, EC_P384 = 0x07, 0x11, 0x14
ALGORITHMS = {"rsa2048": RSA_2048, "p256": EC_P256, "p384": EC_P384}
CURVES = {EC_P256: (ec.SECP256R1, hashes.SHA256), EC_P384: (ec.SECP384R1, hashes.SHA384)}
RSA_EXPONENT = 65537
RSA_BYTES = 256

GENERATED, IMPORTED = 1, 2
PIN_NEVER, PIN_ONCE, PIN_ALWAYS = 1, 2, 3
TOUCH_NEVER, TOUCH_ALWAYS = 1, 2


@dataclasses.dataclass
class Key:
    private: object
    algorithm: int
    pin_policy: int = PIN_ONCE
    touch_policy: int = TOUCH_NEVER
    origin: int = GENERATED

    def public(self):
        return self.private.public_key()


def generate(algorithm):
    if algorithm == RSA_2048:
        return rsa.generate_private_key(RSA_EXPONENT, RSA_BYTES * 8)
    return ec.generate_private_key(CURVES[algorithm][0]())


def _rsa_raw(private, block):
    """Chinese remainders, since Python's pow takes three times as long on the whole modulus."""
    numbers = private.private_numbers()
    p, q = numbers.p, numbers.q
    value = int.from_bytes(block, "big")
    if len(block) != RSA_BYTES or value >= p * q:
        raise ValueError("not a block of the modulus's size")
    at_p, at_q = pow(value, numbers.dmp1, p), pow(value, numbers.dmq1, q)
    return (at_q + q * ((at_p - at_q) * numbers.iqmp % p)).to_bytes(RSA_BYTES, "big")


def _ec_sign(private, algorithm, number):
    """ECDSA takes the leftmost bits of what is too long; a short one is a small number (FIPS 186-4 §6.4)."""
    algorithm_hash = CURVES[algorithm][1]()
    digest = number[:algorithm_hash.digest_size].rjust(algorithm_hash.digest_size, b"\0")
    return private.sign(digest, ec.ECDSA(utils.Prehashed(algorithm_hash)))


def sign(key, block):
    if key.algorithm == RSA_2048:
        return _rsa_raw(key.private, block)
    return _ec_sign(key.private, key.algorithm, block)


def agree(key, point):
    """The x coordinate of ECDH with the host's point; ValueError for a point that is none."""
    if key.algorithm == RSA_2048:
        raise ValueError("an RSA key agrees on nothing")
    peer = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[key.algorithm][0](), point)
    return key.private.exchange(ec.ECDH(), peer)


def public_tlv(key):
    """The public half as GENERATE ASYMMETRIC and GET METADATA give it (SP 800-73-4 part 2, table 11)."""
    public = key.public()
    if key.algorithm == RSA_2048:
        numbers = public.public_numbers()
        return tlv(0x81, numbers.n.to_bytes(RSA_BYTES, "big")) + tlv(0x82, numbers.e.to_bytes(3, "big"))
    return tlv(0x86, public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def _import_rsa(fields):
    p, q = (int.from_bytes(fields[tag], "big") for tag in (0x01, 0x02))
    dp, dq, q_inverse = (int.from_bytes(fields[tag], "big") for tag in (0x03, 0x04, 0x05))
    private_exponent = pow(RSA_EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(RSA_EXPONENT, p * q)
    return rsa.RSAPrivateNumbers(p, q, private_exponent, dp, dq, q_inverse, public).private_key()


def import_private(algorithm, data):
    """The key in an IMPORT KEY command, whose parts have tags below 0x10; ValueError if there is none in it."""
    fields = parse_dict(data)
    try:
        if algorithm == RSA_2048:
            return _import_rsa(fields)
        return ec.derive_private_key(int.from_bytes(fields[0x06], "big"), CURVES[algorithm][0]())
    except KeyError as error:
        raise ValueError("a part of the key is missing") from error
