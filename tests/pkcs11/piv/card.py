# SPDX-License-Identifier: Apache-2.0
"""A PIV card of the YubiKey 5.4.3 kind, as the commands that reach it see it (SP 800-73-4 part 2, and Yubico's own).

The card keeps the rules that a module can fall over: a PIN that is forgotten at a reset or when another application
is selected, a key that wants the PIN before each use, a touch that may not come. It must not be kinder than a real
one; where real cards differ it takes the harsher way. `exchange` is the only door for commands; the control socket
changes the same state, so both hold `lock`, and a wait for a touch lets go of it.
"""

import collections
import threading

import attest
import fixture
import keys
import objects
from apdu import WRONG_LENGTH, Channel, Refused
from faults import Faults, Yanked
from management import NOT_PROVEN, Management
from management import REFERENCE as MANAGEMENT_KEY
from pins import NO_SUCH_REFERENCE, PIN, PUK, Pins
from tlv import parse, parse_dict, tlv

PIV = bytes.fromhex("A000000308")
YUBICO_MANAGEMENT = bytes.fromhex("A000000527471117")
PIV_SELECTED = tlv(0x61, tlv(0x4F, objects.AID[5:]) + tlv(0x79, tlv(0x4F, PIV)))
FIRMWARE = ".".join(map(str, attest.FIRMWARE))

BAD_DATA = 0x6A80
NO_SUCH_FILE = 0x6A82
WRONG_P1P2 = 0x6A86
UNKNOWN_INSTRUCTION = 0x6D00

GENERAL_AUTHENTICATE = 0x87
TEMPLATE, RESPONSE, CHALLENGE, EXPONENT = 0x7C, 0x82, 0x81, 0x85
OBJECT, TAG_LIST = 0x53, 0x5C
ATTESTATION_SLOT = 0xF9
NEW_KEY, ALGORITHM, PIN_POLICY, TOUCH_POLICY = 0xAC, 0x80, 0xAA, 0xAB
COUNTERS = ("apdus", "selects", "signatures", "resets")


class Card:
    def __init__(self, identities, slots):
        """`identities` as fixture.load gives them, `slots` the same as given to it: slot to algorithm."""
        self.lock = threading.Condition()
        self.is_gone = False  # pulled out: a wait for a touch is over
        self._identities, self._slots = identities, slots
        self._channel = Channel(self._execute)
        self._application = None
        self._applications = {"piv": self._piv_commands(), "management": {0x1D: self._device_info}, None: {}}
        self.renew()

    def renew(self):
        """Everything as on the first day: keys, objects, PINs, faults, counters. What is selected stays so, since
        a program that has the card open is not told."""
        self.pins, self.management, self.faults = Pins(), Management(), Faults()
        self.keys = fixture.slot_keys(self._identities, self._slots)
        self._issuer = self._identities[fixture.ATTESTATION]
        certificates = {slot: self._identities[f"{slot:02x}"].certificate
                        for slot in (*self._slots, ATTESTATION_SLOT)}
        self.objects = objects.initial(certificates)
        self.counters = collections.Counter(dict.fromkeys(COUNTERS, 0))
        self._channel.forget()

    def power(self):
        """Power on, power off, reset: nothing is selected and nothing is verified."""
        self._application = None
        self._forget()
        self._channel.forget()

    def reset(self):
        self.counters["resets"] += 1
        self.power()

    def _forget(self):
        self.pins.forget()
        self.management.forget()

    def exchange(self, raw):
        with self.lock:
            self.counters["apdus"] += 1
            return self._channel.exchange(raw)

    def _piv_commands(self):
        return {
            0x20: lambda command: self.pins.verify(command),
            0x24: lambda command: self.pins.change(command),
            0x2C: lambda command: self.pins.unblock(command),
            0x47: self._generate,
            GENERAL_AUTHENTICATE: self._general_authenticate,
            0xCB: self._get_data,
            0xDB: self._put_data,
            0xF7: self._metadata,
            0xF8: lambda command: attest.SERIAL.to_bytes(4, "big"),
            0xF9: self._attest,
            0xFD: lambda command: bytes(attest.FIRMWARE),
            0xFE: self._import,
        }

    def _execute(self, command):
        sw = self.faults.take_status(command.ins)
        if sw is not None:
            raise Refused(sw)
        if command.ins == 0xA4:
            return self._select(command)
        run = self._applications[self._application].get(command.ins)
        if run is None:
            raise Refused(UNKNOWN_INSTRUCTION)
        try:
            return run(command)
        except ValueError as error:
            raise Refused(BAD_DATA) from error

    # Applications

    def _select(self, command):
        """A PIN outlives a second selection of PIV, not that of anything else, be it there or not."""
        self.counters["selects"] += 1
        if command.p1 != 0x04:
            raise Refused(WRONG_P1P2)
        if len(command.data) >= len(PIV) and objects.AID.startswith(command.data):
            self._application = "piv"
            return PIV_SELECTED
        self._forget()
        if command.data != YUBICO_MANAGEMENT:
            raise Refused(NO_SUCH_FILE)
        self._application = "management"
        return f"Virtual mgr - FW version {FIRMWARE}".encode("ascii")

    @staticmethod
    def _device_info(_command):
        """READ CONFIG: serial number, form factor, firmware; PIV is the only application, over USB only."""
        piv = b"\x10"
        fields = (tlv(0x01, piv) + tlv(0x02, attest.SERIAL.to_bytes(4, "big")) + tlv(0x03, piv)
                  + tlv(0x04, bytes([attest.USB_A_KEYCHAIN])) + tlv(0x05, bytes(attest.FIRMWARE)))
        return bytes([len(fields)]) + fields

    # Objects

    @staticmethod
    def _object_tag(value):
        return int.from_bytes(value, "big")

    def _get_data(self, command):
        tag = self._object_tag(parse_dict(command.data).get(TAG_LIST, b""))
        if tag == objects.DISCOVERY:
            return objects.discovery()
        content = self.objects.get(tag)
        if not content or (tag == objects.ATTESTATION and not self.faults.has_attestation):
            raise Refused(NO_SUCH_FILE)
        return tlv(OBJECT, content)

    def _put_data(self, command):
        self.management.need()
        fields = parse_dict(command.data)
        if TAG_LIST not in fields or OBJECT not in fields:
            raise Refused(BAD_DATA)
        self.objects[self._object_tag(fields[TAG_LIST])] = fields[OBJECT]
        return b""

    # Keys

    def _key(self, slot):
        if slot not in self.keys:
            raise Refused(NO_SUCH_REFERENCE)
        return self.keys[slot]

    def _general_authenticate(self, command):
        outer = parse(command.data)
        if len(outer) != 1 or outer[0][0] != TEMPLATE:
            raise Refused(BAD_DATA)
        fields = parse_dict(outer[0][1])
        if command.p2 == MANAGEMENT_KEY:
            return self.management.authenticate(command.p1, fields)
        key = self._key(command.p2)
        if command.p1 != key.algorithm:
            raise Refused(BAD_DATA)
        self._permit(command.p2, key)
        return tlv(TEMPLATE, tlv(RESPONSE, self._use(key, fields)))

    def _permit(self, slot, key):
        """The PIN as the key's policy wants it, then the touch; a PIN serves one use of an "always" key."""
        is_fresh, self.pins.is_fresh = self.pins.is_fresh, False
        is_allowed = {keys.PIN_NEVER: True, keys.PIN_ONCE: self.pins.is_verified, keys.PIN_ALWAYS: is_fresh}
        if not is_allowed[key.pin_policy]:
            raise Refused(NOT_PROVEN)
        if self.faults.take_yank():
            raise Yanked
        if self.faults.needs_touch(slot):
            self._wait_for_touch(slot)

    def _wait_for_touch(self, slot):
        wait_ms, is_touched = self.faults.touch_wait_ms(slot)
        if self.lock.wait_for(lambda: self.is_gone, wait_ms / 1000):
            raise Yanked
        if not is_touched:
            raise Refused(NOT_PROVEN)

    def _use(self, key, fields):
        if EXPONENT in fields:
            return keys.agree(key, fields[EXPONENT])
        if not fields.get(CHALLENGE):
            raise Refused(WRONG_LENGTH)
        self.counters["signatures"] += 1
        return keys.sign(key, fields[CHALLENGE])

    def _new_key(self, slot, private, algorithm, fields, origin):
        """A policy of 0, or none at all, is the slot's own: always for 9C, never for 9E, once for the rest."""
        pin_policy = int.from_bytes(fields.get(PIN_POLICY, b""), "big")
        pin_policy = pin_policy or fixture.PIN_POLICY.get(slot, keys.PIN_ONCE)
        touch_policy = int.from_bytes(fields.get(TOUCH_POLICY, b""), "big") or keys.TOUCH_NEVER
        self.keys[slot] = keys.Key(private, algorithm, pin_policy, touch_policy, origin)
        return self.keys[slot]

    def _check_new(self, slot, algorithm):
        self.management.need()
        if slot not in objects.CERTIFICATES or slot == ATTESTATION_SLOT:
            raise Refused(WRONG_P1P2)
        if algorithm not in keys.ALGORITHMS.values():
            raise Refused(BAD_DATA)

    def _generate(self, command):
        fields = parse_dict(parse_dict(command.data).get(NEW_KEY, b""))
        algorithm = int.from_bytes(fields.get(ALGORITHM, b""), "big")
        self._check_new(command.p2, algorithm)
        key = self._new_key(command.p2, keys.generate(algorithm), algorithm, fields, keys.GENERATED)
        return tlv(0x7F49, keys.public_tlv(key))

    def _import(self, command):
        self._check_new(command.p2, command.p1)
        private = keys.import_private(command.p1, command.data)
        self._new_key(command.p2, private, command.p1, parse_dict(command.data), keys.IMPORTED)
        return b""

    # What a YubiKey tells about its keys

    def _touch_policy(self, slot):
        return keys.TOUCH_ALWAYS if self.faults.needs_touch(slot) else self._key(slot).touch_policy

    def _attest(self, command):
        key = self._key(self.faults.attests_other.get(command.p1, command.p1))
        if not self.faults.has_attestation:
            raise Refused(UNKNOWN_INSTRUCTION)
        if key.origin != keys.GENERATED:
            raise Refused(BAD_DATA)
        return attest.certificate(command.p1, key, self._touch_policy(command.p1), self._issuer,
                                  self.faults.attested_serial)

    def _metadata(self, command):
        if command.p2 in (PIN, PUK):
            return self._secret_metadata(self.pins.secret(command.p2))
        if command.p2 == MANAGEMENT_KEY:
            return tlv(0x01, b"\x03") + tlv(0x02, b"\0\1") + tlv(0x05, b"\1")
        key = self._key(command.p2)
        policies = bytes([key.pin_policy, self._touch_policy(command.p2)])
        return (tlv(0x01, bytes([key.algorithm])) + tlv(0x02, policies) + tlv(0x03, bytes([key.origin]))
                + tlv(0x04, keys.public_tlv(key)))

    @staticmethod
    def _secret_metadata(secret):
        return (tlv(0x01, b"\xff") + tlv(0x05, bytes([secret.is_default]))
                + tlv(0x06, bytes([secret.tries_max, secret.left])))
