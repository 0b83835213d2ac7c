# SPDX-License-Identifier: Apache-2.0
"""The card's own rules, without reader and modules: these run everywhere, and say which side is wrong."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

import fixture
import objects
from card import Card
from faults import Yanked
from management import DEFAULT_KEY, Management
from tlv import parse, parse_dict, tlv

SLOTS = {0x9A: "p256", 0x9C: "p256", 0x9D: "p256", 0x9E: "rsa2048"}
PIN = b"123456\xff\xff"
WRONG = b"654321\xff\xff"
NEW = b"87654321"
PUK = b"12345678"
OK = "9000"


@pytest.fixture(scope="session")
def identities(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    made = fixture.load(path, SLOTS)
    again = fixture.load(path, SLOTS)
    assert {name: entry.certificate for name, entry in made.items()} == {
        name: entry.certificate for name, entry in again.items()}
    return again


class Host:
    """Speaks to a card in short commands, as a module does."""

    def __init__(self, identities):
        self.card = Card(identities, SLOTS)
        self.send("00A40400", objects.AID[:5])

    def send(self, head, data=b"", le=b"\0"):
        """The status word and the data of a whole answer; long commands go in chained parts."""
        head = bytes.fromhex(head)
        while len(data) > 255:
            answer = self.card.exchange(bytes([head[0] | 0x10]) + head[1:] + b"\xff" + data[:255])
            assert answer == b"\x90\0"
            data = data[255:]
        answer = self.card.exchange(head + (bytes([len(data)]) + data if data else b"") + le)
        whole = answer[:-2]
        while answer[-2] == 0x61:
            answer = self.card.exchange(bytes.fromhex("00C00000") + answer[-1:])
            whole += answer[:-2]
        return answer[-2:].hex(), whole

    def verify(self, pin=PIN):
        return self.send("00200080", pin)[0]

    def use(self, slot, algorithm=0x11, challenge=bytes(32), tag=0x81):
        template = tlv(0x7C, tlv(0x82) + tlv(tag, challenge))
        sw, answer = self.send(f"0087{algorithm:02x}{slot:02x}", template)
        return sw, parse_dict(parse_dict(answer)[0x7C])[0x82] if sw == OK else b""

    def open_management(self):
        keeper = Management()
        _, answer = self.send("0087039b", tlv(0x7C, tlv(0x80)))
        witness = parse_dict(parse_dict(answer)[0x7C])[0x80]
        plain = self.card.management._witness
        assert keeper._encrypt(plain) == witness
        return self.send("0087039b", tlv(0x7C, tlv(0x80, plain) + tlv(0x81, bytes(8))))[0]


@pytest.fixture
def host(identities):
    return Host(identities)


def certificate(identities, slot):
    return identities[f"{slot:02x}"].certificate


@pytest.mark.parametrize("bad", ("5f", "7c82", "7c8101", "7c02", "7c840000000000"))
def test_a_malformed_object_is_refused(host, bad):
    with pytest.raises(ValueError):
        parse(bytes.fromhex(bad))
    host.verify()
    assert host.send("0087119a", bytes.fromhex(bad))[0] == "6a80"


@pytest.mark.parametrize("bad", ("", "00", "0020", "002000", "0020008009313233", "00CB3FFF00001001"))
def test_a_malformed_command_has_a_wrong_length(host, bad):
    assert host.card.exchange(bytes.fromhex(bad)).hex() == "6700"


def test_nothing_works_before_a_selection(host):
    host.card.power()
    assert host.verify() == "6d00"
    assert host.send("00A40400", b"\xa0\0\0\0\x03")[0] == "6a82"


def test_the_pin_counts_down_and_blocks_and_the_puk_opens_it(host):
    assert [host.verify(WRONG) for _ in range(3)] == ["63c2", "63c1", "63c0"]
    assert host.verify() == "6983"
    assert host.send("002C0080", WRONG + NEW)[0] == "63c2"
    assert host.send("002C0080", PUK + NEW)[0] == OK
    assert (host.verify(), host.verify(NEW), host.send("00200080")[0]) == ("63c2", OK, OK)


def test_a_wrong_pin_takes_back_the_right_one(host):
    assert host.verify() == OK
    host.verify(WRONG)
    assert host.send("00200080")[0] == "63c2"
    assert host.use(0x9A)[0] == "6982"


def test_the_pin_can_be_changed(host):
    assert host.send("00240080", WRONG + NEW)[0] == "63c2"
    assert host.send("00240080", PIN + NEW)[0] == OK
    assert host.verify(NEW) == OK


def test_another_selection_forgets_the_pin_and_the_same_does_not(host):
    host.verify()
    host.send("00A40400", objects.AID[:5])
    assert host.use(0x9A)[0] == OK
    host.send("00A40400", b"\xa0\0\0\0\x03")
    assert host.use(0x9A)[0] == "6982"


def test_policies(host):
    assert [host.use(slot)[0] for slot in (0x9A, 0x9C)] == ["6982", "6982"]
    assert host.use(0x9E, 0x07, bytes(256))[0] == OK
    host.verify()
    assert [host.use(0x9C)[0] for _ in range(2)] == [OK, "6982"]
    assert [host.use(0x9A)[0] for _ in range(2)] == [OK, OK]
    host.verify()
    host.use(0x9A)
    assert host.use(0x9C)[0] == "6982"  # the PIN was for the other key's use


def test_signatures_and_agreement(host, identities):
    host.verify()
    block = b"\0\1" + bytes([0xFF]) * 202 + b"\0" + bytes.fromhex("3031300d060960864801650304020105000420") + bytes(32)
    _, signature = host.use(0x9E, 0x07, block)
    prehashed = utils.Prehashed(hashes.SHA256())
    certificate(identities, 0x9E).public_key().verify(signature, bytes(32), padding.PKCS1v15(), prehashed)
    _, signature = host.use(0x9A)
    certificate(identities, 0x9A).public_key().verify(signature, bytes(32), ec.ECDSA(prehashed))
    mine = ec.generate_private_key(ec.SECP256R1())
    numbers = mine.public_key().public_numbers()
    point = b"\4" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    expected = mine.exchange(ec.ECDH(), certificate(identities, 0x9D).public_key())
    assert host.use(0x9D, challenge=point, tag=0x85) == (OK, expected)


@pytest.mark.parametrize("slot, algorithm, challenge, sw", (
    (0x9E, 0x07, b"\xff" * 256, "6a80"), (0x9E, 0x07, bytes(255), "6a80"), (0x9E, 0x11, bytes(32), "6a80"),
    (0x9D, 0x11, b"", "6700"), (0x82, 0x11, bytes(32), "6a88")))
def test_what_no_key_takes(host, slot, algorithm, challenge, sw):
    host.verify()
    assert host.use(slot, algorithm, challenge)[0] == sw


def test_objects_need_the_management_key_to_change(host):
    written = tlv(0x5C, bytes.fromhex("5FC10D")) + tlv(0x53, bytes(600))
    assert host.send("00DB3FFF", written)[0] == "6982"
    assert host.open_management() == OK
    assert host.send("00DB3FFF", written)[0] == OK
    assert host.send("00CB3FFF", tlv(0x5C, bytes.fromhex("5FC10D"))) == (OK, tlv(0x53, bytes(600)))


def test_a_wrong_management_key_opens_nothing(host):
    host.send("0087039b", tlv(0x7C, tlv(0x80)))
    assert host.send("0087039b", tlv(0x7C, tlv(0x80, bytes(8)) + tlv(0x81, bytes(8))))[0] == "6982"
    assert host.send("00470082", tlv(0xAC, tlv(0x80, b"\x11")))[0] == "6982"
    assert len(DEFAULT_KEY) == 24


def test_a_made_key_is_attested_and_an_imported_one_is_not(host, identities):
    host.open_management()
    sw, answer = host.send("00470082", tlv(0xAC, tlv(0x80, b"\x11") + tlv(0xAA, b"\1")))
    point = parse_dict(parse_dict(answer)[0x7F49])[0x86]
    _, der = host.send("00F98200")
    numbers = x509.load_der_x509_certificate(der).public_key().public_numbers()
    assert point[1:33] == numbers.x.to_bytes(32, "big")
    assert host.use(0x82)[0] == OK  # policy: never
    assert host.send("00FE1183", tlv(0x06, (5).to_bytes(32, "big")))[0] == OK
    assert host.send("00F98300")[0] == "6a80"
    assert host.send("00F70083")[1][:12].hex() == "0101110202020103" + "0102" + "0443"
    private = identities["9e"].private.private_numbers()
    parts = (private.p, private.q, private.dmp1, private.dmq1, private.iqmp)
    data = b"".join(tlv(tag, part.to_bytes(128, "big")) for tag, part in enumerate(parts, 1))
    assert host.send("00FE0784", data)[0] == OK
    host.verify()
    assert host.use(0x84, 0x07, bytes(256))[0] == OK


def test_faults(host):
    host.card.faults.status_words.append((0x6F00, 0x87))
    host.verify()
    assert [host.use(0x9A)[0] for _ in range(2)] == ["6f00", OK]
    host.card.faults.touch_timeout_ms = 20
    host.card.faults.set_touch(0x9A, 10)
    assert host.use(0x9A)[0] == OK
    host.card.faults.set_touch(0x9A, 30)
    assert host.use(0x9A)[0] == "6982"
    host.card.faults.clear_touch(0x9A)
    host.card.faults.yanks_next_signature = True
    with pytest.raises(Yanked):
        host.use(0x9A)
    assert host.use(0x9A)[0] == OK


def test_renew(host):
    host.verify(WRONG)
    host.card.renew()
    assert host.verify() == OK
    assert host.card.counters["signatures"] == 0
