# SPDX-License-Identifier: Apache-2.0
"""The virtual card through both modules, as pkcs11-tool drives them: what they list, sign, and say when it fails.

Nothing of keystay is in here. The suite shows that the card is one, so that a test of keystay that fails on it
tells of keystay; and it writes down where the two modules differ.
"""

import subprocess
import time

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.serialization import load_pem_public_key

OPENSC, YKCS11 = "opensc", "ykcs11"
BOTH = pytest.mark.parametrize("module", (OPENSC, YKCS11))
IDS = {"9a": "01", "9c": "02", "9d": "03", "9e": "04"}
DATA = b"a claim that a server will believe"
DIGEST_INFO_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
PKCS1 = padding.PKCS1v15()
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
TOUCH_MS, TIMEOUT_MS = 1500, 700


def sha256(data):
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize()


class Tool:
    """pkcs11-tool with one module."""

    def __init__(self, card, module, folder):
        self._card, self._module, self._folder = card, module, folder

    def run(self, *arguments, pin=None):
        login = ["--login", "--pin", pin] if pin else []
        return subprocess.run(["pkcs11-tool", "--module", self._card.modules[self._module], *login, *arguments],
                              env=self._card.environment(), capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL)

    def sign(self, slot, mechanism="SHA256-RSA-PKCS", data=DATA, pin="123456", options=()):
        """The finished process; the signature in its attribute `signature`."""
        paths = [self._folder / name for name in ("data", "signature")]
        paths[0].write_bytes(data)
        paths[1].unlink(missing_ok=True)
        done = self.run("--sign", "--id", IDS[slot], "-m", mechanism, "-i", str(paths[0]), "-o", str(paths[1]),
                        "--signature-format", "rs", *options, pin=pin)
        done.signature = paths[1].read_bytes() if paths[1].exists() else b""
        return done

    def objects(self, kind, pin=None):
        """Ids and labels of the objects of a kind, as in "Private Key Object"."""
        found, is_inside = [], False
        for line in self.run("--list-objects", pin=pin).stdout.splitlines():
            if not line.startswith(" "):
                is_inside = line.startswith(kind)
                found += [{}] if is_inside else []
            elif is_inside:
                name, _, value = line.strip().partition(":")
                found[-1][name] = value.strip()
        return [(entry.get("ID"), entry.get("label")) for entry in found]


@pytest.fixture
def tool(card, tmp_path):
    return lambda module: Tool(card, module, tmp_path)


@pytest.fixture
def verify(card):
    def check(slot, signature, data=DATA, pads=PKCS1):
        public = x509.load_pem_x509_certificate(card.certificate_pem(slot)).public_key()
        if isinstance(public, ec.EllipticCurvePublicKey):
            assert len(signature) == 64
            pair = [int.from_bytes(part, "big") for part in (signature[:32], signature[32:])]
            public.verify(utils.encode_dss_signature(*pair), data, ec.ECDSA(hashes.SHA256()))
        else:
            public.verify(signature, data, pads, hashes.SHA256())
    return check


# What is there

@BOTH
def test_every_slot_has_a_certificate_and_a_key(tool, module):
    ids = sorted(key_id for key_id, label in tool(module).objects("Certificate Object")
                 if "Attestation" not in label)
    assert ids == sorted(IDS.values())
    keys = [key_id for key_id, _ in tool(module).objects("Private Key Object", pin="123456")]
    assert [key_id for key_id in keys if key_id in IDS.values()] == sorted(IDS.values())


def test_without_login_opensc_shows_the_key_that_needs_none_and_ykcs11_shows_nothing(tool):
    assert tool(OPENSC).objects("Private Key Object") == [("04", "CARD AUTH key")]
    assert tool(YKCS11).objects("Private Key Object") == []


def test_ykcs11_lists_attestations_under_the_id_of_the_key(card, tool):
    certificates = tool(YKCS11).objects("Certificate Object")
    assert sorted(key_id for key_id, label in certificates if "Attestation" in label) == [*IDS.values(), "19"]
    card.control.attestation(False)
    assert [key_id for key_id, label in tool(YKCS11).objects("Certificate Object") if "Attestation" in label] == []


def test_an_attestation_leads_to_the_root(card, tmp_path):
    issued = tmp_path / "attestation.pem"
    done = subprocess.run(["yubico-piv-tool", "-a", "attest", "-s", "9a", "-o", str(issued)],
                          env=card.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    leaf = x509.load_pem_x509_certificate(issued.read_bytes())
    middle, root = (x509.load_pem_x509_certificate(card.certificate_pem(name)) for name in ("f9", "root"))
    slot = x509.load_pem_x509_certificate(card.certificate_pem("9a"))
    for signed, signer in ((leaf, middle), (middle, root)):
        assert signed.issuer == signer.subject
        signer.public_key().verify(signed.signature, signed.tbs_certificate_bytes, PKCS1,
                                   signed.signature_hash_algorithm)
    assert leaf.public_key().public_numbers() == slot.public_key().public_numbers()
    policy = leaf.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.4.1.41482.3.8"))
    assert policy.value.value == b"\x02\x01"  # PIN once, touch never


# Signatures

@BOTH
@pytest.mark.parametrize("slot", ("9a", "9c", "9e"))
def test_rs256(card, tool, verify, module, slot):
    done = tool(module).sign(slot)
    assert done.returncode == 0, done.stderr
    verify(slot, done.signature)
    assert card.control.counters()["signatures"] == 1


@BOTH
def test_rs256_from_a_digest_info(tool, verify, module):
    done = tool(module).sign("9a", "RSA-PKCS", DIGEST_INFO_SHA256 + sha256(DATA))
    verify("9a", done.signature)


@BOTH
def test_ps256(tool, verify, module):
    done = tool(module).sign("9a", "SHA256-RSA-PKCS-PSS", options=("--mgf", "MGF1-SHA256", "--salt-len", "32"))
    assert done.returncode == 0, done.stderr
    verify("9a", done.signature, pads=PSS)


def test_es256_with_ykcs11(tool, verify):
    done = tool(YKCS11).sign("9d", "ECDSA", sha256(DATA))
    assert done.returncode == 0, done.stderr
    verify("9d", done.signature)


def test_opensc_offers_9d_for_agreement_only(tool):
    done = tool(OPENSC).sign("9d", "ECDSA", sha256(DATA))
    assert done.returncode != 0 and "CKR_KEY_TYPE_INCONSISTENT" in done.stderr


@BOTH
def test_a_signature_of_one_key_is_not_another_ones(tool, verify, module):
    with pytest.raises(InvalidSignature):
        verify("9c", tool(module).sign("9a").signature)


# The PIN

@BOTH
def test_a_wrong_pin_costs_one_try_and_a_right_one_gives_them_back(card, tool, module):
    assert "CKR_PIN_INCORRECT" in tool(module).sign("9a", pin="654321").stderr
    assert card.control.status()["pin_left"] == 2
    assert card.control.counters()["failed_verifies"] == 1
    assert tool(module).sign("9a").returncode == 0
    assert card.control.status()["pin_left"] == 3


@BOTH
@pytest.mark.parametrize("tells_at_once", (False, True))
def test_the_third_wrong_pin_locks(card, tool, module, tells_at_once):
    """Most cards say so only when asked again: the third answer is "incorrect" like the two before."""
    card.control.set_pin_tries(3, tells_block_at_once=tells_at_once)
    said = [tool(module).sign("9a", pin="654321").stderr for _ in range(3)]
    assert ["CKR_PIN_LOCKED" in text for text in said] == [False, False, tells_at_once], said
    assert "CKR_PIN_LOCKED" in tool(module).sign("9a").stderr
    assert card.control.status()["pin_left"] == 0
    assert "user PIN locked" in tool(module).run("--list-token-slots").stdout


@BOTH
def test_the_flags_warn_before_the_last_try(card, tool, module):
    card.control.set_pin_tries(1)
    assert "final user PIN try" in tool(module).run("--list-token-slots").stdout


# Touch

@BOTH
def test_a_touch_in_time(card, tool, verify, module):
    card.control.touch("9a", after_ms=TOUCH_MS)
    started = time.monotonic()
    verify("9a", tool(module).sign("9a").signature)
    assert time.monotonic() - started >= TOUCH_MS / 1000


@BOTH
def test_no_touch_looks_like_no_login(card, tool, module):
    card.control.touch_never("9a", timeout_ms=TIMEOUT_MS)
    started = time.monotonic()
    assert "CKR_USER_NOT_LOGGED_IN" in tool(module).sign("9a").stderr
    assert time.monotonic() - started >= TIMEOUT_MS / 1000
    assert tool(module).sign("9e").returncode == 0  # the other keys want none


# The card goes, and comes back

@BOTH
def test_removed_and_inserted(card, tool, module):
    card.control.remove()
    done = tool(module).sign("9a")
    assert done.returncode != 0 and done.signature == b""
    card.control.insert()
    assert tool(module).sign("9a").returncode == 0


@BOTH
def test_pulled_out_during_a_signature(card, tool, module):
    card.control.yank_next_signature()
    said = tool(module).sign("9a").stderr
    # Which of the two Yubico's module says depends on its version; test_sessions.py asks for that.
    assert any(code in said for code in {OPENSC: ("CKR_GENERAL_ERROR",),
                                         YKCS11: ("CKR_DEVICE_ERROR", "CKR_DEVICE_REMOVED")}[module])
    assert not card.control.status()["inserted"]
    card.control.insert()
    assert tool(module).sign("9a").returncode == 0


@BOTH
def test_without_pcscd_there_is_nothing(card, tool, module):
    card.control.pcscd("stop")
    assert tool(module).sign("9a").returncode != 0
    card.control.pcscd("start")
    assert tool(module).sign("9a").returncode == 0


# What a later command writes

def test_a_key_made_on_the_card_is_attested(card, tmp_path):
    public = tmp_path / "public.pem"
    made = subprocess.run(["yubico-piv-tool", "-a", "generate", "-s", "82", "-A", "ECCP256", "-o", str(public)],
                          env=card.environment(), capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    attested = subprocess.run(["yubico-piv-tool", "-a", "attest", "-s", "82"], env=card.environment(),
                              capture_output=True)
    key = x509.load_pem_x509_certificate(attested.stdout).public_key()
    assert key.public_numbers() == load_pem_public_key(public.read_bytes()).public_numbers()


def test_ykcs11_makes_a_key_when_the_management_key_opens_the_card(card, tool):
    done = tool(YKCS11).run("--login", "--login-type", "so", "--so-pin", card.environment()["PIVCARD_MANAGEMENT_KEY"],
                            "--keypairgen", "--key-type", "EC:prime256v1", "--id", "05")
    assert done.returncode == 0, done.stderr
    assert ("05", "Private key for Retired Key 1") in tool(YKCS11).objects("Private Key Object", pin="123456")
