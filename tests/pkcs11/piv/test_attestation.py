# SPDX-License-Identifier: Apache-2.0
"""What a token claims of a key and what an attestation proves of it, on a PIV card as a YubiKey is one.

Yubico's module shows attestations as certificates, OpenSC's shows none. The card's root is the fixture's; who gives
it with --attestation-ca believes it.
"""

import datetime
import json
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (Encoding, NoEncryption, PrivateFormat,
                                                          load_pem_public_key)

import attest
import fixture
import keys
import signed
from cli import refused
from program import IDS, key_uri

OPENSC, YKCS11 = "opensc", "ykcs11"
DAY = datetime.timedelta(days=1)


@pytest.fixture
def root(card, tmp_path):
    """A file with the root that stands above the card."""
    path = tmp_path / "root.pem"
    path.write_bytes(card.certificate_pem("root"))
    return path


def piv_tool(card, *arguments, stdin=None):
    return subprocess.run(["yubico-piv-tool", *arguments], input=stdin, env=card.environment(), check=True,
                          capture_output=True).stdout


def issue(subject, public, issuer_name, issuer_key, extensions=()):
    now = datetime.datetime.now()
    builder = (x509.CertificateBuilder().subject_name(fixture.name(subject)).issuer_name(fixture.name(issuer_name))
               .public_key(public).serial_number(1).not_valid_before(now - DAY).not_valid_after(now + DAY))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.PEM)


def put_certificate(card, slot, pem):
    piv_tool(card, "-a", "import-certificate", "-s", slot, stdin=pem)


def proofs(program, **changes):
    """By slot, what the list for programs says of each key."""
    result = program.run("key", "list", "--format", "json", **changes)
    assert result.status == 0, result
    ((token,),) = [module["tokens"] for module in json.loads(result.out)["modules"]]
    by_id = {key["id"].removeprefix("%"): key["proven_by_attestation"] for key in token["keys"]}
    return {slot: by_id[key_id] for slot, key_id in IDS.items() if key_id in by_id}


def nothing_proven(card, program, root, *words, hint="", **changes):
    """Refused after the login, before anything is signed."""
    result = program.sign(require="attested", attestation_ca=root, **changes)
    refused(result, 3, "nothing proves that this key was made in the device", *words, hint=hint)
    counters = card.control.counters()
    assert (counters["signatures"], counters["failed_verifies"]) == (0, 0)


# Proven

@pytest.mark.parametrize("slot, alg", [("9a", "PS256"), ("9c", "RS256"), ("9d", "ES256")])
def test_an_attested_key_signs(keystay, certificate, root, slot, alg):
    result = keystay(YKCS11).sign(slot, alg=alg, require="attested", attestation_ca=root)
    signed.read(result.token, certificate(slot))


def test_the_list_tells_both_levels(keystay, root):
    out = keystay(YKCS11).run("key", "list", attestation_ca=root).out
    assert "claimed by the token: stays in the token, generated there" in out
    assert ("proven by attestation: generated in YubiKey 12345678, firmware 5.4.3; PIN always, touch never"
            in out)
    assert proofs(keystay(YKCS11), attestation_ca=root) == {
        slot: {"verdict": "proven", "firmware": "5.4.3", "serial": attest.SERIAL, "serial_differs": False,
               "pin_policy": {"9c": "always", "9e": "never"}.get(slot, "once"), "touch_policy": "never"}
        for slot in IDS}


def test_policies_of_a_key_without_a_certificate(card, keystay, root):
    """What the attestation must speak of is then the public key that the token tells."""
    piv_tool(card, "-a", "generate", "-s", "9a", "-A", "ECCP256", "--pin-policy=always", "--touch-policy=cached")
    piv_tool(card, "-a", "delete-certificate", "-s", "9a")
    proof = proofs(keystay(YKCS11), attestation_ca=root)["9a"]
    assert (proof["verdict"], proof["pin_policy"], proof["touch_policy"]) == ("proven", "always", "cached")


def test_a_curve_is_known_without_a_certificate(card, keystay):
    piv_tool(card, "-a", "generate", "-s", "9a", "-A", "ECCP384")
    piv_tool(card, "-a", "delete-certificate", "-s", "9a")
    out = keystay(YKCS11).run("key", "list").out
    listed = out[out.index("key id=%01"):].split("key id=%02")[0]
    assert "EC 384" in listed and "signs ES384\n" in listed, listed


def test_a_key_made_anew_is_another_attested_key(card, keystay, root):
    public = load_pem_public_key(piv_tool(card, "-a", "generate", "-s", "9a", "-A", "ECCP256"))
    pem = issue("Made on the card", public, "Somebody", keys.generate(keys.EC_P256))
    put_certificate(card, "9a", pem)
    result = keystay(YKCS11).sign(alg="ES256", require="attested", attestation_ca=root)
    signed.read(result.token, x509.load_pem_x509_certificate(pem))


def test_a_certificate_in_a_file_is_the_attested_keys(card, keystay, certificate, root):
    path = root.with_name("9a.pem")
    path.write_bytes(card.certificate_pem("9a"))
    result = keystay(YKCS11).sign(require="attested", attestation_ca=root, certificate=path)
    signed.read(result.token, certificate("9a"))


def test_the_doctor_tells_both_levels(keystay, root):
    result = keystay(YKCS11).run("doctor", "--offline", require="attested", attestation_ca=root)
    assert result.status == 0 and "\nfail " not in result.out and "\nwarn " not in result.out, result
    assert "ok         trust         claimed by the token: stays in the token, generated there\n" in result.out
    assert "ok         trust         proven by attestation: generated in YubiKey 12345678, firmware 5.4.3" in result.out


# Not proven

def test_nobody_is_believed_unasked(card, keystay):
    """Refused before the module is loaded: no PIN is sent for it."""
    result = keystay(YKCS11).sign(require="attested")
    refused(result, 3, "whose attestations to believe", hint="--attestation-ca")
    assert card.control.counters()["verifies"] == 0
    assert {proof["verdict"] for proof in proofs(keystay(YKCS11)).values()} == {"no-ca"}


def test_another_root(card, keystay, root):
    other = keys.generate(keys.EC_P256)
    root.write_bytes(issue("Another root", other.public_key(), "Another root", other,
                           [x509.BasicConstraints(True, 1)]))
    nothing_proven(card, keystay(YKCS11), root, "does not end at a root", hint="root and all intermediates")
    assert proofs(keystay(YKCS11), attestation_ca=root)["9a"] == {"verdict": "no-root"}


def test_a_root_of_the_same_name(card, keystay, root):
    """Whoever makes a root can call it as he likes."""
    other = keys.generate(keys.RSA_2048)
    name = "Virtual PIV Attestation Root"
    root.write_bytes(issue(name, other.public_key(), name, other, [x509.BasicConstraints(True, 1)]))
    nothing_proven(card, keystay(YKCS11), root, "signature in the chain of its attestation is wrong")


def test_a_card_that_attests_another_key(card, keystay, root):
    """Yubico's module takes the key's public half from the attestation, so all fits together, but for the signature."""
    card.control.attest_other("9a", "9c")
    result = keystay(YKCS11).sign(require="attested", attestation_ca=root)
    refused(result, 3, "does not verify with the public key", "nothing was sent")


def test_the_attestation_of_another_key(card, keystay, root):
    """A genuine one, that of 9C, planted beside the key of 9A; that the right one lies there too does no harm."""
    own = root.with_name("9a.pem")
    own.write_bytes(card.certificate_pem("9a"))
    put_certificate(card, "9a", piv_tool(card, "-a", "attest", "-s", "9c"))
    assert proofs(keystay(YKCS11), attestation_ca=root)["9a"]["verdict"] == "proven"
    card.control.attestation(False)
    assert proofs(keystay(YKCS11), attestation_ca=root)["9a"] == {"verdict": "other-key"}
    nothing_proven(card, keystay(YKCS11), root, "is about another key", hint="do not trust this key", certificate=own)


def test_attestation_switched_off(card, keystay, root):
    card.control.attestation(False)
    nothing_proven(card, keystay(YKCS11), root, "shows no attestation of the key", hint="generate the key")
    result = keystay(YKCS11).run("doctor", "--offline", attestation_ca=root)
    assert result.status == 0 and "warn       trust         proven by attestation: nothing, the token shows no" in result.out, result
    assert "try: generate the key on a YubiKey" in result.out


def test_an_imported_key(card, keystay, root, tmp_path):
    private = keys.generate(keys.EC_P256)
    path = tmp_path / "key.pem"
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    piv_tool(card, "-a", "import-key", "-s", "9a", "-i", str(path))
    pem = issue("Imported", private.public_key(), "Somebody", keys.generate(keys.EC_P256))
    put_certificate(card, "9a", pem)
    nothing_proven(card, keystay(YKCS11), root, "shows no attestation of the key", hint="imported")
    result = keystay(YKCS11).sign(alg="ES256", attestation_ca=root)  # not required: it signs
    signed.read(result.token, x509.load_pem_x509_certificate(pem))


def test_an_imported_key_with_a_forged_attestation(card, keystay, root, tmp_path):
    """Its owner can put any certificate into the slot; only the device's key can sign one that is believed."""
    private, forger = keys.generate(keys.EC_P256), keys.generate(keys.EC_P256)
    path, own = tmp_path / "key.pem", tmp_path / "own.pem"
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    own.write_bytes(issue("Imported", private.public_key(), "Somebody", forger))
    piv_tool(card, "-a", "import-key", "-s", "9a", "-i", str(path))
    put_certificate(card, "9a", issue("YubiKey PIV Attestation 9a", private.public_key(), "Yubico PIV Attestation",
                                      forger, attest.extensions(keys.PIN_ONCE, keys.TOUCH_ALWAYS)))
    result = keystay(YKCS11).sign(alg="ES256", certificate=own, require="attested", attestation_ca=root)
    refused(result, 3, "signature in the chain of its attestation is wrong")
    assert proofs(keystay(YKCS11), attestation_ca=root)["9a"] == {"verdict": "broken"}


def test_the_devices_certificate_overwritten(card, keystay, root):
    """As its owner can; what the device signs then leads nowhere."""
    own = keys.generate(keys.EC_P256)
    put_certificate(card, "f9", issue("Another device", own.public_key(), "Another device", own))
    nothing_proven(card, keystay(YKCS11), root, "(slot F9) is not on the token")


def test_the_serial_of_another_device(card, keystay, certificate, root):
    """The key is in that device all the same: each signature is verified with the attested key."""
    card.control.attest_serial(87654321)
    result = keystay(YKCS11).sign(require="attested", attestation_ca=root)
    signed.read(result.token, certificate("9a"))
    assert "warning" in result.err and "87654321" in result.err
    proof = proofs(keystay(YKCS11), attestation_ca=root)["9a"]
    assert (proof["serial"], proof["serial_differs"]) == (87654321, True)


# OpenSC

def test_opensc_shows_no_attestation_and_that_is_said(card, keystay, root):
    """It claims of every key that it was generated on the card, imported or not."""
    nothing_proven(card, keystay(OPENSC), root, "shows no attestation of the key", hint="libykcs11")
    out = keystay(OPENSC).run("key", "list", attestation_ca=root).out
    assert "claimed by the token: stays in the token, generated there" in out
    assert "proven by attestation: nothing, the token shows no attestation of the key" in out
    assert "proven by attestation: generated" not in out


# The card without PIN

def test_what_is_seen_without_a_pin(card, keystay, root):
    """OpenSC shows 9E, Yubico's module no key; nobody's PIN is sent for a proof."""
    for module in (OPENSC, YKCS11):
        out = keystay(module).run("key", "list", pin_source=None, attestation_ca=root).out
        assert ("proven by attestation: nothing" in out) == (module == OPENSC)
    assert card.control.counters()["verifies"] == 0


def test_a_key_that_is_not_there(keystay, root):
    result = keystay(YKCS11).sign(key=key_uri("9a") + "0", require="attested", attestation_ca=root)
    refused(result, 3, "no such private key")
