# SPDX-License-Identifier: Apache-2.0
"""What a test can make the card do wrong, or slowly: the part of the world that a card in a drawer does not show.

Each fault is set once and then either stays (touch, attestation) or is used up by the next command that it is meant
for (yank, status words). None is active on a fresh card.
"""

import dataclasses

import attest

NEVER = None
TOUCH_TIMEOUT_MS = 3000


class Yanked(Exception):
    """The card was pulled out while it worked: there is no answer."""


@dataclasses.dataclass
class Faults:
    touch_timeout_ms: int = TOUCH_TIMEOUT_MS
    touch_after_ms: dict = dataclasses.field(default_factory=dict)  # slot: milliseconds, or NEVER
    has_attestation: bool = True
    attests_other: dict = dataclasses.field(default_factory=dict)  # slot: whose key it attests instead
    attested_serial: int = attest.SERIAL
    yanks_next_signature: bool = False
    status_words: list = dataclasses.field(default_factory=list)  # (status word, instruction or None for any)

    def set_touch(self, slot, after_ms):
        self.touch_after_ms[slot] = after_ms

    def clear_touch(self, slot):
        self.touch_after_ms.pop(slot, None)

    def needs_touch(self, slot):
        return slot in self.touch_after_ms

    def touch_wait_ms(self, slot):
        """How long the card waits, and whether it was touched by then."""
        after_ms = self.touch_after_ms[slot]
        if after_ms is NEVER or after_ms > self.touch_timeout_ms:
            return self.touch_timeout_ms, False
        return after_ms, True

    def take_yank(self):
        is_yanked, self.yanks_next_signature = self.yanks_next_signature, False
        return is_yanked

    def take_status(self, ins):
        """The status word that the next command of this instruction gets instead of its answer, or None."""
        for entry in self.status_words:
            if entry[1] in (None, ins):
                self.status_words.remove(entry)
                return entry[0]
        return None
