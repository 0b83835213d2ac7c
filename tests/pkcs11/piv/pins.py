# SPDX-License-Identifier: Apache-2.0
"""The PIN and the PUK: their try counters, and what a right PIN opens until the next reset (SP 800-73-4 part 2, §3.2).

A counter goes down with each wrong try, up to full with a right one, and blocks at zero: the tests count on every
single step of it. `fresh` is what a key of the policy "always" needs: a PIN since the last use of such a key.
"""

import dataclasses

from apdu import Refused

PIN, PUK = 0x80, 0x81
LENGTH = 8
PADDING = b"\xff"
TRIES = 3
DEFAULT_PIN, DEFAULT_PUK = b"123456", b"12345678"

BLOCKED = 0x6983
TRIES_LEFT = 0x63C0
BAD_DATA = 0x6A80
NO_SUCH_REFERENCE = 0x6A88


@dataclasses.dataclass
class Secret:
    value: bytes
    default: bytes
    tries_max: int = TRIES
    left: int = TRIES
    tells_block_at_once: bool = False

    def check(self, padded):
        """Costs a try unless right. The last wrong try says "0 left" and only the next one "blocked", as the
        standard has it; some cards say "blocked" to the last one already."""
        if self.left == 0:
            raise Refused(BLOCKED)
        if padded.rstrip(PADDING) != self.value:
            self.left -= 1
            raise Refused(BLOCKED if self.left == 0 and self.tells_block_at_once else TRIES_LEFT | self.left)
        self.left = self.tries_max

    def change(self, padded):
        value = padded.rstrip(PADDING)
        if len(value) < 6:
            raise Refused(BAD_DATA)
        self.value, self.left = value, self.tries_max

    @property
    def is_default(self):
        return self.value == self.default


class Pins:
    def __init__(self):
        self.secrets = {PIN: Secret(DEFAULT_PIN, DEFAULT_PIN), PUK: Secret(DEFAULT_PUK, DEFAULT_PUK)}
        self.n_verified = self.n_failed = 0
        self.forget()

    def forget(self):
        self.is_verified = self.is_fresh = False

    def secret(self, reference):
        if reference not in self.secrets:
            raise Refused(NO_SUCH_REFERENCE)
        return self.secrets[reference]

    def verify(self, command):
        """VERIFY: with a PIN it tries it, without one it asks for the state, with P1 = FF it logs out."""
        if command.p2 != PIN:
            raise Refused(NO_SUCH_REFERENCE)
        if command.p1 == 0xFF:
            self.forget()
        elif not command.data:
            self._state()
        else:
            self._try(command.data)
        return b""

    def _state(self):
        left = self.secrets[PIN].left
        if not self.is_verified:
            raise Refused(TRIES_LEFT | left if left else BLOCKED)

    def _try(self, padded):
        if len(padded) != LENGTH:
            raise Refused(BAD_DATA)
        self.n_verified += 1
        self.forget()
        try:
            self.secrets[PIN].check(padded)
        except Refused:
            self.n_failed += 1
            raise
        self.is_verified = self.is_fresh = True

    def change(self, command):
        """CHANGE REFERENCE DATA: the old one and the new one, padded, one after the other."""
        secret = self.secret(command.p2)
        old, new = self._pair(command.data)
        secret.check(old)
        secret.change(new)
        return b""

    def unblock(self, command):
        """RESET RETRY COUNTER: the PUK, then a new PIN."""
        puk, pin = self._pair(command.data)
        self.secrets[PUK].check(puk)
        self.secrets[PIN].change(pin)
        return b""

    @staticmethod
    def _pair(data):
        if len(data) != 2 * LENGTH:
            raise Refused(BAD_DATA)
        return data[:LENGTH], data[LENGTH:]
