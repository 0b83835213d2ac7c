# SPDX-License-Identifier: Apache-2.0
"""The management key: who proves to have it may make and import keys and write objects.

The proof is mutual and of 1990s make, three-key DES on eight bytes, because that is what a YubiKey 5.4 ships with and
what both modules speak. Card and host each encrypt the other's challenge; only then is the session open.
"""

import os

from cryptography.hazmat.primitives.ciphers import Cipher, modes

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:  # before cryptography 43
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES

from apdu import Refused
from tlv import tlv

REFERENCE = 0x9B
ALGORITHM_3DES = 0x03
DEFAULT_KEY = bytes(range(1, 9)) * 3
BLOCK = 8

WITNESS, CHALLENGE, RESPONSE, TEMPLATE = 0x80, 0x81, 0x82, 0x7C
BAD_DATA = 0x6A80
NOT_PROVEN = 0x6982


class Management:
    def __init__(self):
        self.key = DEFAULT_KEY
        self.forget()

    def forget(self):
        self.is_open = False
        self._witness = self._challenge = None

    def need(self):
        if not self.is_open:
            raise Refused(NOT_PROVEN)

    def authenticate(self, algorithm, fields):
        """GENERAL AUTHENTICATE with 9B: `fields` are the objects of its dynamic authentication template."""
        if algorithm != ALGORITHM_3DES:
            raise Refused(BAD_DATA)
        if fields.get(WITNESS) == b"":
            return self._send_witness()
        if WITNESS in fields:
            return self._check_witness(fields)
        if fields.get(CHALLENGE) == b"":
            return self._send_challenge()
        return self._check_response(fields.get(RESPONSE, b""))

    def _send_witness(self):
        self._witness = os.urandom(BLOCK)
        return tlv(TEMPLATE, tlv(WITNESS, self._encrypt(self._witness)))

    def _check_witness(self, fields):
        expected, self._witness = self._witness, None
        challenge = fields.get(CHALLENGE, b"")
        if expected is None or len(challenge) != BLOCK:
            raise Refused(BAD_DATA)
        if fields[WITNESS] != expected:
            raise Refused(NOT_PROVEN)
        self.is_open = True
        return tlv(TEMPLATE, tlv(RESPONSE, self._encrypt(challenge)))

    def _send_challenge(self):
        """The host alone proves; modules also take this for a source of random bytes."""
        self._challenge = os.urandom(BLOCK)
        return tlv(TEMPLATE, tlv(CHALLENGE, self._challenge))

    def _check_response(self, response):
        challenge, self._challenge = self._challenge, None
        if challenge is None or response != self._encrypt(challenge):
            raise Refused(NOT_PROVEN)
        self.is_open = True
        return b""

    def _encrypt(self, block):
        encryptor = Cipher(TripleDES(self.key), modes.ECB()).encryptor()
        return encryptor.update(block) + encryptor.finalize()
