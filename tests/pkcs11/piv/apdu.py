# SPDX-License-Identifier: Apache-2.0
"""Commands and responses as they cross the wire (ISO 7816-4): parsing, command chaining, GET RESPONSE.

`Channel` turns many short commands into one long one and one long answer into many short ones, so that the card
behind it sees whole commands only. A response is always data and a status word of two bytes.
"""

import dataclasses

CLA_CHAINED = 0x10
INS_GET_RESPONSE = 0xC0
SHORT_ANSWER_MAX = 256
COMMAND_MAX = 3072  # a YubiKey takes objects of up to 3,052 bytes

OK = 0x9000
WRONG_LENGTH = 0x6700


class Refused(Exception):
    """A command that ends with another status word than 9000."""

    def __init__(self, sw):
        super().__init__(f"{sw:04X}")
        self.sw = sw


@dataclasses.dataclass
class Command:
    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes
    is_extended: bool = False

    @property
    def p1p2(self):
        return self.p1 << 8 | self.p2


def _body(raw):
    """The data after the head, without Lc and Le, and whether the lengths were in the extended form."""
    if len(raw) <= 1:
        return b"", False
    if raw[0] == 0 and len(raw) >= 3:
        length = int.from_bytes(raw[1:3], "big")
        if len(raw) == 3:
            return b"", True  # Le alone
        if len(raw) not in (3 + length, 5 + length):
            raise Refused(WRONG_LENGTH)
        return raw[3:3 + length], True
    length = raw[0]
    if len(raw) not in (1 + length, 2 + length):
        raise Refused(WRONG_LENGTH)
    return raw[1:1 + length], False


def parse(raw):
    if len(raw) < 4:
        raise Refused(WRONG_LENGTH)
    data, is_extended = _body(raw[4:])
    return Command(raw[0], raw[1], raw[2], raw[3], bytes(data), is_extended)


class Channel:
    """Between the wire and a card: a function that takes a Command and returns data, or raises Refused."""

    def __init__(self, execute):
        self._execute = execute
        self.forget()

    def forget(self):
        """After a reset nothing of a half-sent command or a half-read answer is left."""
        self._head, self._collected, self._waiting = None, b"", b""

    def exchange(self, raw):
        try:
            command = parse(raw)
            if command.ins == INS_GET_RESPONSE:
                return self._next_part()
            return self._run(command)
        except Refused as refused:
            self.forget()
            return refused.sw.to_bytes(2, "big")

    def _run(self, command):
        whole = self._collect(command)
        if whole is None:
            return OK.to_bytes(2, "big")
        answer = self._execute(whole)
        if whole.is_extended:
            return answer + OK.to_bytes(2, "big")
        self._waiting = answer
        return self._next_part()

    def _collect(self, command):
        """The whole command when its last part has come, else None."""
        head = (command.ins, command.p1, command.p2)
        if self._head not in (None, head):
            self.forget()
        collected = self._collected + command.data
        if len(collected) > COMMAND_MAX:
            raise Refused(WRONG_LENGTH)
        if command.cla & CLA_CHAINED:
            self._head, self._collected = head, collected
            return None
        self.forget()
        return dataclasses.replace(command, cla=command.cla & ~CLA_CHAINED, data=collected)

    def _next_part(self):
        part, self._waiting = self._waiting[:SHORT_ANSWER_MAX], self._waiting[SHORT_ANSWER_MAX:]
        left = len(self._waiting)
        sw = OK if left == 0 else 0x6100 | (left if left < SHORT_ANSWER_MAX else 0)
        return part + sw.to_bytes(2, "big")
