# SPDX-License-Identifier: Apache-2.0
"""Puts test keys on a token, and certificates beside them: python3 provision.py COMMAND...; for the launchers.

P11_MODULE, P11_MODULE_ARGS, P11_TOKEN and P11_PIN_FILE say where. A certificate is signed by the token's own key, which
also shows that the key works: its body is made with a throw-away key of the same kind and then signed anew.
Keys are made sensitive and not extractable, unless --loose leaves it to the module.
"""
import argparse
import datetime
import os
import sys
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

import cryptoki as ck

P256 = bytes.fromhex("06082a8648ce3d030107")
SHA256_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def public_key(session, ck_id):
    handle = session.find_one({ck.CKA_CLASS: ck.CKO_PUBLIC_KEY, ck.CKA_ID: ck_id})
    if int.from_bytes(session.get(handle, ck.CKA_KEY_TYPE), sys.byteorder) == ck.CKK_RSA:
        numbers = [int.from_bytes(session.get(handle, a), "big") for a in (ck.CKA_PUBLIC_EXPONENT, ck.CKA_MODULUS)]
        return rsa.RSAPublicNumbers(*numbers).public_key()
    # An OCTET STRING around the point; 65 bytes of point are P-256's.
    point = session.get(handle, ck.CKA_EC_POINT)[-65:]
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def sign_sha256(session, key, public, data):
    """An X.509 signature over data: PKCS #1 v1.5 or ECDSA, whatever the key does."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    digest = digest.finalize()
    if isinstance(public, ec.EllipticCurvePublicKey):
        raw = session.sign(ck.mechanism(ck.CKM_ECDSA), key, digest)
        return utils.encode_dss_signature(*(int.from_bytes(half, "big") for half in (raw[:32], raw[32:])))
    return session.sign(ck.mechanism(ck.CKM_RSA_PKCS), key, SHA256_DIGEST_INFO + digest)


def der(tag, *parts):
    body = b"".join(parts)
    octets = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    length = octets if len(body) < 128 else bytes([0x80 | len(octets)]) + octets
    return bytes([tag]) + length + body


def self_signed(session, ck_id, subject):
    public = public_key(session, ck_id)
    is_rsa = isinstance(public, rsa.RSAPublicKey)
    stand_in = rsa.generate_private_key(65537, 2048) if is_rsa else ec.generate_private_key(ec.SECP256R1())
    now, day = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(days=1)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    body = (
        x509.CertificateBuilder(subject, subject, public, x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + 365 * day)
        .sign(stand_in, hashes.SHA256())
    )
    private = session.find_one({ck.CKA_CLASS: ck.CKO_PRIVATE_KEY, ck.CKA_ID: ck_id})
    signature = sign_sha256(session, private, public, body.tbs_certificate_bytes)
    # RFC 5280 §4.1: tbsCertificate, signatureAlgorithm, signatureValue. The algorithm stands in the body too:
    # sha256WithRSAEncryption or ecdsa-with-SHA256.
    algorithm = der(0x30, bytes.fromhex("06092a864886f70d01010b0500" if is_rsa else "06082a8648ce3d040302"))
    made = x509.load_der_x509_certificate(
        der(0x30, body.tbs_certificate_bytes, algorithm, der(0x03, b"\0", signature))
    )
    how = (padding.PKCS1v15(), hashes.SHA256()) if is_rsa else (ec.ECDSA(hashes.SHA256()),)
    public.verify(made.signature, made.tbs_certificate_bytes, *how)
    return made


def generate(session, kind, ck_id, label, keep_public=True, strict=True):
    public = {ck.CKA_TOKEN: keep_public, ck.CKA_VERIFY: True, ck.CKA_ID: ck_id, ck.CKA_LABEL: label}
    private = {
        ck.CKA_TOKEN: True,
        ck.CKA_PRIVATE: True,
        ck.CKA_SIGN: True,
        ck.CKA_ID: ck_id,
        ck.CKA_LABEL: label,
    }
    if strict:
        private |= {ck.CKA_SENSITIVE: True, ck.CKA_EXTRACTABLE: False}
    if kind == "RSA":
        public |= {ck.CKA_MODULUS_BITS: 2048, ck.CKA_PUBLIC_EXPONENT: b"\1\0\1"}
        return session.generate_pair(ck.CKM_RSA_PKCS_KEY_PAIR_GEN, public, private)
    return session.generate_pair(ck.CKM_EC_KEY_PAIR_GEN, public | {ck.CKA_EC_PARAMS: P256}, private)


def write_certificate(certificate, path):
    with open(path, "wb") as out:
        out.write(certificate.public_bytes(serialization.Encoding.PEM))


def store_certificate(session, ck_id, label, certificate):
    session.create(
        {
            ck.CKA_CLASS: ck.CKO_CERTIFICATE,
            ck.CKA_CERTIFICATE_TYPE: ck.CKC_X_509,
            ck.CKA_TOKEN: True,
            ck.CKA_PRIVATE: False,
            ck.CKA_ID: ck_id,
            ck.CKA_LABEL: label,
            ck.CKA_SUBJECT: certificate.subject.public_bytes(),
            ck.CKA_ISSUER: certificate.issuer.public_bytes(),
            ck.CKA_SERIAL_NUMBER: der(0x02, signed_bytes(certificate.serial_number)),
            ck.CKA_VALUE: certificate.public_bytes(serialization.Encoding.DER),
        }
    )


def signed_bytes(number):
    return number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)


def init_token(module, _session, options):
    """Initialises the first slot whose token has no PIN yet. The PIN becomes the security officer's too.

    Tokens that come with a published officer's PIN (openCryptoki) want that one until it has been changed.
    """
    slot = next(s for s, info in module.slots().items() if not info.flags & ck.CKF_USER_PIN_INITIALIZED)
    pin, label = read_pin(), os.environ["P11_TOKEN"].encode().ljust(32)
    so_pin = options.so_pin.encode() if options.so_pin else pin
    module.call("InitToken", slot, so_pin, len(so_pin), label)
    session = module.session(module.slot_of(os.environ["P11_TOKEN"]), so_pin, ck.CKU_SO)
    if so_pin != pin:
        session.call("SetPIN", so_pin, len(so_pin), pin, len(pin))
    session.call("InitPIN", pin, len(pin))
    session.call("Logout")


def make(module, session, options):
    ck_id = bytes.fromhex(options.id)
    generate(session, options.kind, ck_id, options.label.encode(), strict=not options.loose)
    certificate = certify(module, session, options)
    if options.store:
        store_certificate(session, ck_id, options.label.encode(), certificate)


def certify(_module, session, options):
    ck_id = bytes.fromhex(options.id)
    subject = f"keystay {os.environ['P11_NAME']} {options.kind}"
    certificate = self_signed(session, ck_id, subject)
    write_certificate(certificate, options.certificate)
    return certificate


def ids(_module, session, _options):
    """The id of each private key in URI form, one a line."""
    for handle in session.find({ck.CKA_CLASS: ck.CKO_PRIVATE_KEY}):
        print("".join(f"%{byte:02X}" for byte in session.get(handle, ck.CKA_ID)))


def fill(_module, session, options):
    """N more private keys, P-256 because they are quick to make; ids from 0001 up, labels filler-N."""
    started = time.monotonic()
    for i in range(1, options.n + 1):
        generate(session, "EC", i.to_bytes(2, "big"), f"filler-{i}".encode(), keep_public=options.public)
    print(f"{options.n} keys in {time.monotonic() - started:.2f} s")


def serial(module, _session, _options):
    print(module.slots()[module.slot_of(os.environ["P11_TOKEN"])].text("serial"))


def lists(module, _session, options):
    """Whether the token has a mechanism, as yes or no."""
    listed = module.mechanisms(module.slot_of(os.environ["P11_TOKEN"]))
    print("yes" if getattr(ck, f"CKM_{options.mechanism}") in listed else "no")


def read_pin():
    with open(os.environ["P11_PIN_FILE"], "rb") as file:
        return file.read().rstrip(b"\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("init-token")
    command.add_argument("--so-pin", help="the one that the token comes with")
    command.set_defaults(run=init_token)
    commands.add_parser("ids").set_defaults(run=ids)
    commands.add_parser("serial").set_defaults(run=serial)
    command = commands.add_parser("lists")
    command.add_argument("mechanism", help="by its name in cryptoki.py, without CKM_")
    command.set_defaults(run=lists)
    for name, run in (("make", make), ("certify", certify)):
        command = commands.add_parser(name)
        command.add_argument("kind", choices=("RSA", "EC"))
        command.add_argument("id", help="CKA_ID in hex")
        command.add_argument("certificate", help="file to write")
        command.add_argument("--label", default="assertion")
        command.add_argument("--store", action="store_true", help="put the certificate onto the token, too")
        command.add_argument("--loose", action="store_true", help="say nothing of sensitive and extractable")
        command.set_defaults(run=run)
    command = commands.add_parser("fill")
    command.add_argument("n", type=int)
    command.add_argument("--public", action="store_true", help="keep the public keys on the token, too")
    command.set_defaults(run=fill)
    return parser.parse_args()


def main():
    options = parse()
    with ck.Module(os.environ["P11_MODULE"], os.environ.get("P11_MODULE_ARGS", "")) as module:
        session = None
        if options.command not in ("init-token", "serial", "lists"):
            session = module.session(module.slot_of(os.environ["P11_TOKEN"]), read_pin())
        options.run(module, session, options)


if __name__ == "__main__":
    main()
