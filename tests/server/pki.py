# SPDX-License-Identifier: Apache-2.0
"""The server's own certificate authority: one CA, one server certificate for the loopback names.

Both are made in a folder and found there again by the next start, so that a client may keep `ca.pem`. The
CA's private key is never written: once it has signed the one certificate, nobody needs it. The form is what
a strict OpenSSL 3 (`-x509_strict`) asks for. Nothing here has to do with the certificates of the clients.
"""

import ipaddress
import os
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BACKDATED = timedelta(hours=1)  # for clients whose clock is slow
VALIDITY = timedelta(days=365)
SPARE = timedelta(days=1)  # one that ends sooner is made anew
NAMES = [
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
]
_USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
           "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")


def _name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*wanted):
    return x509.KeyUsage(**{usage: usage in wanted for usage in _USAGES})


def _builder(subject, issuer, key, issuer_key, is_ca, usage):
    now = datetime.utcnow()
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer_id, critical=False)
    )


def _make_ca(key):
    # Its own name for each CA: two that share one confuse a client which trusts both.
    name = f"keystay test CA {x509.random_serial_number():x}"[:32]
    usage = _key_usage("key_cert_sign", "crl_sign")
    return _builder(name, name, key, key, True, usage).sign(key, hashes.SHA256()), name


def _make_server_certificate(key, ca_name, ca_key):
    builder = _builder("localhost", ca_name, key, ca_key, False, _key_usage("digital_signature"))
    return (
        builder.add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def write_atomically(path, data, mode=0o644):
    """A reader sees the old file or the new one, whole."""
    temporary = f"{path}.{os.getpid()}"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
    os.replace(temporary, path)


def _is_usable(ca_path, server_path):
    try:
        with open(ca_path, "rb") as ca_file, open(server_path, "rb") as server_file:
            certificates = [x509.load_pem_x509_certificate(file.read()) for file in (ca_file, server_file)]
    except (OSError, ValueError):
        return False
    deadline = datetime.utcnow() + SPARE
    return all(certificate.not_valid_after > deadline for certificate in certificates)


def prepare(folder):
    """Paths of the CA certificate and of the server's certificate with its key; both are made if need be."""
    ca_path, server_path = os.path.join(folder, "ca.pem"), os.path.join(folder, "server.pem")
    if not _is_usable(ca_path, server_path):
        ca_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        ca, ca_name = _make_ca(ca_key)
        server = _make_server_certificate(server_key, ca_name, ca_key)
        key_pem = server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_atomically(server_path, server.public_bytes(Encoding.PEM) + key_pem, 0o600)
        write_atomically(ca_path, ca.public_bytes(Encoding.PEM))
    return ca_path, server_path
