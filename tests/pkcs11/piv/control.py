# SPDX-License-Identifier: Apache-2.0
"""A test's hand on the virtual card: takes it out, does not touch it, counts what reached it.

    control = Control(os.environ["PIVCARD_CONTROL"])
    control.touch("9a", after_ms=1500)
    ...
    assert control.counters()["verifies"] == 1

Each call returns when it has happened: after `remove` pcscd knows that the card is gone.
"""

import json
import os
import socket

ANSWER_S = 60


class Control:
    def __init__(self, path=None):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_S)
        self._socket.connect(path or os.environ["PIVCARD_CONTROL"])
        self._answers = self._socket.makefile("r", encoding="ascii")

    def close(self):
        self._answers.close()
        self._socket.close()

    def request(self, do, **members):
        self._socket.sendall(json.dumps({"do": do, **members}).encode("ascii") + b"\n")
        line = self._answers.readline()
        if not line:
            raise RuntimeError("the virtual card has ended")
        answer = json.loads(line)
        if not answer.pop("ok"):
            raise RuntimeError(f"{do}: {answer['error']}")
        return answer

    def status(self):
        """pin_left, puk_left, inserted, verified, serial, firmware"""
        return self.request("status")

    def counters(self, reset=False):
        """apdus, selects, signatures, resets, verifies, failed_verifies; with `reset` they start again at 0."""
        return self.request("counters", reset=reset)

    def renew(self):
        """The card as on its first day, inserted, and pcscd running."""
        self.request("renew")

    def remove(self):
        self.request("remove")

    def insert(self):
        self.request("insert")

    def intrude(self, how="reset"):
        """Another program resets the card, or selects ("select") another application on it."""
        self.request("intrude", how=how)

    def pcscd(self, state):
        """stop, start or restart"""
        self.request("pcscd", state=state)

    def set_pin_tries(self, left, which="pin", tells_block_at_once=False):
        """The last wrong PIN is answered with "0 tries left" (CKR_PIN_INCORRECT), or with "blocked"."""
        self.request("pin_tries", left=left, which=which, tells_block_at_once=tells_block_at_once)

    def touch(self, slot, after_ms, timeout_ms=None):
        """From now on the slot's key wants a touch, which comes after so many milliseconds."""
        self.request("touch", slot=slot, when="after", after_ms=after_ms, timeout_ms=timeout_ms)

    def touch_never(self, slot, timeout_ms=None):
        self.request("touch", slot=slot, when="never", timeout_ms=timeout_ms)

    def touch_off(self, slot):
        self.request("touch", slot=slot, when="off")

    def yank_next_signature(self):
        """The card is pulled out when the next signature begins; `insert` puts it back."""
        self.request("yank")

    def next_status(self, sw, ins=None):
        """Instead of its answer the next command (of this instruction) gets this status word; both in hex."""
        self.request("next_status", sw=sw, ins=ins)

    def attestation(self, is_on):
        self.request("attestation", on=is_on)

    def attest_other(self, slot, other):
        """Asked for the attestation of the slot's key, the card gives that of another slot's."""
        self.request("attest_other", slot=slot, other=other)

    def attest_serial(self, serial):
        """From now on the card attests with the serial number of another device."""
        self.request("attest_serial", serial=serial)
