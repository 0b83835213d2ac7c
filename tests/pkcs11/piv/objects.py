# SPDX-License-Identifier: Apache-2.0
"""The data objects of a card (SP 800-73-4 part 1, table 3; Yubico's own above 5FFF00), and where certificates lie."""

import hashlib

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tlv import tlv

CCC, CHUID, DISCOVERY, ATTESTATION = 0x5FC107, 0x5FC102, 0x7E, 0x5FFF01
CERTIFICATES = {0x9A: 0x5FC105, 0x9C: 0x5FC10A, 0x9D: 0x5FC10B, 0x9E: 0x5FC101, 0xF9: ATTESTATION}
RETIRED = range(0x82, 0x96)
CERTIFICATES |= {slot: 0x5FC10D + slot - RETIRED.start for slot in RETIRED}

AID = bytes.fromhex("A000000308000010000100")
NOT_FEDERAL = bytes.fromhex("D4E739DA739CED39CE739D836858210842108421C84210C3EB")  # FASC-N of agency 9999
EXPIRES = b"20440101"
CARD_ID = bytes.fromhex("A000000116FF02")
CCC_VERSIONS = bytes.fromhex("F10121F20121F300F40100F50110F600F700FA00FB00FC00FD00FE00")
PIN_OF_PIV_ONLY = bytes.fromhex("4000")


def _guid(certificate):
    """Follows the keys: OpenSC takes the token's serial number, and the name of its cache, from here."""
    public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).digest()[:16]


def certificate_object(certificate):
    der = certificate.public_bytes(Encoding.DER)
    return tlv(0x70, der) + tlv(0x71, b"\0") + tlv(0xFE)


def discovery():
    """The one object that is not wrapped in tag 53."""
    return tlv(DISCOVERY, tlv(0x4F, AID) + tlv(0x5F2F, PIN_OF_PIV_ONLY))


def initial(certificates):
    """A fresh card's objects by tag; `certificates` by slot, 9A's among them."""
    guid = _guid(certificates[0x9A])
    found = {CERTIFICATES[slot]: certificate_object(certificate) for slot, certificate in certificates.items()}
    found[CHUID] = (tlv(0x30, NOT_FEDERAL) + tlv(0x34, guid) + tlv(0x35, EXPIRES) + tlv(0x3E) + tlv(0xFE))
    found[CCC] = tlv(0xF0, CARD_ID + guid[:14]) + CCC_VERSIONS
    return found
