# SPDX-License-Identifier: Apache-2.0
"""Attestation as a YubiKey does it: the card's own key F9 certifies a key that was made on the card.

Who trusts the root above F9 learns from the extensions below 1.3.6.1.4.1.41482.3 which firmware and device made
the key, and under which PIN and touch policy it works. The real root is Yubico's; here it is the fixture's.
"""

import datetime
import secrets

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tlv import tlv

FIRMWARE = (5, 4, 3)
SERIAL = 12345678
USB_A_KEYCHAIN = 1
NOT_BEFORE = datetime.datetime(2024, 1, 1)
NOT_AFTER = datetime.datetime(2044, 1, 1)

YUBICO_PIV = "1.3.6.1.4.1.41482.3"
OID_FIRMWARE, OID_SERIAL, OID_POLICY, OID_FORM_FACTOR = (
    x509.ObjectIdentifier(f"{YUBICO_PIV}.{arc}") for arc in (3, 7, 8, 9))
DER_INTEGER = 0x02


def firmware_extension():
    return x509.UnrecognizedExtension(OID_FIRMWARE, bytes(FIRMWARE))


def _der_integer(number):
    return tlv(DER_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def extensions(pin_policy, touch_policy, serial=SERIAL):
    return [firmware_extension(),
            x509.UnrecognizedExtension(OID_SERIAL, _der_integer(serial)),
            x509.UnrecognizedExtension(OID_POLICY, bytes([pin_policy, touch_policy])),
            x509.UnrecognizedExtension(OID_FORM_FACTOR, bytes([USB_A_KEYCHAIN]))]


def certificate(slot, key, touch_policy, issuer, serial):
    """The attestation of one slot's key, DER; `issuer` is the identity of F9."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"YubiKey PIV Attestation {slot:02x}")])
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.certificate.subject)
               .public_key(key.public()).serial_number(secrets.randbits(127) | 1)
               .not_valid_before(NOT_BEFORE).not_valid_after(NOT_AFTER))
    for extension in extensions(key.pin_policy, touch_policy, serial):
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer.private, hashes.SHA256()).public_bytes(Encoding.DER)
