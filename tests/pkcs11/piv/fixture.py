# SPDX-License-Identifier: Apache-2.0
"""The keys and certificates that a fresh card comes with, kept in a file so that only the first start makes them.

The file is a throw-away secret: its keys sign nothing that matters. It is valid for the slots that it was made for;
with others it is made anew. Serial numbers and dates are fixed, so that the same file is the same card each time.
"""

import dataclasses
import json
import os
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

import attest
import keys

SLOTS = {0x9A: "rsa2048", 0x9C: "rsa2048", 0x9D: "p256", 0x9E: "rsa2048"}
PIN_POLICY = {0x9C: keys.PIN_ALWAYS, 0x9E: keys.PIN_NEVER}  # the others: once
KEY_MANAGEMENT = 0x9D
ATTESTATION, ROOT = "f9", "root"
FORMAT = 1  # goes up when the same slots get other keys or certificates


@dataclasses.dataclass
class Identity:
    private: object
    certificate: x509.Certificate


def name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject, issuer, public, serial):
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
            .serial_number(serial).not_valid_before(attest.NOT_BEFORE)
            .not_valid_after(attest.NOT_AFTER))


def _usage(slot, algorithm):
    """9D is for secrets, not for signatures. OpenSC takes a key's usage from here, Yubico's module does not look."""
    is_rsa = algorithm == "rsa2048"
    if slot == KEY_MANAGEMENT:
        return x509.KeyUsage(False, False, is_rsa, False, not is_rsa, False, False, False, False)
    return x509.KeyUsage(True, False, False, False, False, False, False, False, False)


def _slot_identity(slot, algorithm):
    private = keys.generate(keys.ALGORITHMS[algorithm])
    subject = name(f"Virtual PIV {slot:02x}")
    builder = _builder(subject, subject, private.public_key(), 0x1000 + slot)
    builder = builder.add_extension(_usage(slot, algorithm), critical=True)
    return Identity(private, builder.sign(private, hashes.SHA256()))


def _authority(common_name, serial, issuer=None):
    """A CA: the root signs itself, the card's attestation key is signed by the root."""
    private = keys.generate(keys.RSA_2048)
    subject = name(common_name)
    issuer_name = issuer.certificate.subject if issuer else subject
    builder = _builder(subject, issuer_name, private.public_key(), serial)
    builder = builder.add_extension(x509.BasicConstraints(True, 0 if issuer else 1), critical=True)
    if issuer:
        builder = builder.add_extension(attest.firmware_extension(), critical=False)
    return Identity(private, builder.sign(issuer.private if issuer else private, hashes.SHA256()))


def _make(slots):
    made = {f"{slot:02x}": _slot_identity(slot, algorithm) for slot, algorithm in slots.items()}
    made[ROOT] = _authority("Virtual PIV Attestation Root", 1)
    made[ATTESTATION] = _authority("Yubico PIV Attestation", 2, made[ROOT])
    return made


def _dump(identity):
    private = identity.private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                             serialization.NoEncryption())
    certificate = identity.certificate.public_bytes(serialization.Encoding.PEM)
    return {"key": private.decode("ascii"), "certificate": certificate.decode("ascii")}


def _load(entry):
    private = serialization.load_pem_private_key(entry["key"].encode("ascii"), None)
    return Identity(private, x509.load_pem_x509_certificate(entry["certificate"].encode("ascii")))


def _head(slots):
    """What the file is for; a file with another head is made anew."""
    return {"format": FORMAT, "slots": {f"{slot:02x}": algorithm for slot, algorithm in sorted(slots.items())}}


def _write(path, content):
    """In one step: two launchers may make the same file at once, and each must find a whole one."""
    handle, part = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)))
    with open(handle, "w", encoding="ascii") as file:
        json.dump(content, file, indent=1)
    os.replace(part, path)


def load(path, slots):
    """Identities by name ("9a" ... "f9", "root"), from the file or newly made."""
    try:
        with open(path, encoding="ascii") as file:
            content = json.load(file)
        if content.get("head") == _head(slots):
            return {key: _load(entry) for key, entry in content["identities"].items()}
    except FileNotFoundError:
        pass
    made = _make(slots)
    _write(path, {"head": _head(slots), "identities": {key: _dump(entry) for key, entry in made.items()}})
    return made


def slot_keys(identities, slots):
    return {slot: keys.Key(identities[f"{slot:02x}"].private, keys.ALGORITHMS[algorithm],
                           PIN_POLICY.get(slot, keys.PIN_ONCE))
            for slot, algorithm in slots.items()}
