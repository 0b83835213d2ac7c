# SPDX-License-Identifier: Apache-2.0
"""Do the launchers of this folder come up, and do their tokens sign? python3 smoke.py [NAME[:VARIANT]...]

Without names: every launcher and every variant. Under each, each key of P11_KEYS and P11_LOOSE_KEYS signs with
OpenSC's pkcs11-tool (with cryptoki.py where the module wants arguments, which pkcs11-tool cannot give), and the
certificate that came with the key verifies it; the mechanisms that P11_CAN names are compared with the token's list.
One line a launcher: the seconds until COMMAND ran, and what signed. Exit status 1 if one failed, or if one could not
run and CI is set. It says nothing of keystay: that is the suite's part.
"""
import argparse
import glob
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

import cryptoki as ck

HERE = os.path.dirname(os.path.abspath(__file__))
SKIP = 77
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
MESSAGE = b"signed by a test token"
DIGEST = hashlib.sha256(MESSAGE).digest()


def all_launchers():
    for path in sorted(glob.glob(f"{HERE}/*.sh")):
        name = os.path.basename(path)[:-3]
        if name in ("lib", "softhsm-token"):
            continue
        variants = subprocess.run(["sh", path, "--variants"], check=True, capture_output=True, text=True).stdout
        yield from (f"{name}:{variant}" for variant in variants.split())


def run_launcher(which):
    name, _, variant = which.partition(":")
    command = ["sh", f"{HERE}/{name}.sh"] + (["--variant", variant] if variant else [])
    with tempfile.TemporaryDirectory(prefix="keystay-smoke.") as folder:
        inside = [sys.executable, __file__, "--inside", str(time.monotonic())]
        done = subprocess.run(command + [f"{folder}/m", "--"] + inside, capture_output=True, text=True)
    label = which.removesuffix(":plain")
    if done.returncode == 0:
        print(f"ok    {label:26} {done.stdout.strip()}")
    elif done.returncode == SKIP:
        print(f"skip  {label:26} {done.stderr.strip()}")
    else:
        print(f"FAIL  {label:26} status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.returncode == 0 or (done.returncode == SKIP and not os.environ.get("CI"))


def parse_key(entry):
    kind, uri, certificate = entry.split("|")
    fields = {k: urllib.parse.unquote_to_bytes(v) for k, v in re.findall(r"(\w+)=([^;]*)", uri)}
    with open(certificate, "rb") as file:
        return kind, fields, x509.load_pem_x509_certificate(file.read()).public_key()


class Token:
    """Signs with the key of one P11_KEYS entry, by pkcs11-tool or by cryptoki.py."""

    def __init__(self):
        self.path, self.args = os.environ["P11_MODULE"], os.environ["P11_MODULE_ARGS"]
        with open(os.environ["P11_PIN_FILE"], "rb") as file:
            self.pin = file.read().rstrip(b"\n")

    def listed(self, fields):
        with ck.Module(self.path, self.args) as module:
            serial = fields.get("serial")
            found = module.mechanisms(module.slot_of(fields["token"].decode(), serial and serial.decode()))
        return {word for word, kind in LISTED.items() if kind in found}

    def sign(self, fields, kind, parameter, data):
        with ck.Module(self.path, self.args) as module:
            serial = fields.get("serial")
            slot = module.slot_of(fields["token"].decode(), serial and serial.decode())
            if self.args:
                session = module.session(slot, self.pin)
                key = session.find_one({ck.CKA_CLASS: ck.CKO_PRIVATE_KEY, ck.CKA_ID: fields["id"]})
                return session.sign(ck.mechanism(kind, parameter), key, data)
        return self.sign_with_tool(slot, fields["id"], kind, data)

    def sign_with_tool(self, slot, ck_id, kind, data):
        command = ["pkcs11-tool", "--module", self.path, "--slot", str(slot), "--login", "--pin", "env:SMOKE_PIN"]
        command += ["--sign", "--id", ck_id.hex(), "--mechanism", hex(kind)]
        if kind in (ck.CKM_RSA_PKCS_PSS, ck.CKM_SHA256_RSA_PKCS_PSS):
            command += ["--mgf", "MGF1-SHA256", "--salt-len", "32"]
        if kind == ck.CKM_RSA_PKCS_PSS:
            command += ["--hash-algorithm", "SHA256"]
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/in", "wb") as file:
                file.write(data)
            command += ["--input-file", f"{folder}/in", "--output-file", f"{folder}/out"]
            environment = dict(os.environb) | {b"SMOKE_PIN": self.pin}
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode != 0:
                raise RuntimeError(f"pkcs11-tool: {done.stderr}")
            with open(f"{folder}/out", "rb") as file:
                return file.read()


def check_rs256(token, fields, public, can):
    combined = "sha256-rsa" in can
    kind = ck.CKM_SHA256_RSA_PKCS if combined else ck.CKM_RSA_PKCS
    signature = token.sign(fields, kind, None, MESSAGE if combined else DIGEST_INFO + DIGEST)
    public.verify(signature, MESSAGE, padding.PKCS1v15(), hashes.SHA256())


def check_ps256(token, fields, public, can):
    parameters = ck.PssParameters(ck.CKM_SHA256, ck.CKG_MGF1_SHA256, 32)
    combined = "sha256-pss" in can
    kind = ck.CKM_SHA256_RSA_PKCS_PSS if combined else ck.CKM_RSA_PKCS_PSS
    signature = token.sign(fields, kind, parameters, MESSAGE if combined else DIGEST)
    public.verify(signature, MESSAGE, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def check_es256(token, fields, public, _can):
    signature = token.sign(fields, ck.CKM_ECDSA, None, DIGEST)
    if len(signature) != 64:
        raise RuntimeError(f"{len(signature)} bytes of signature")
    halves = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    public.verify(utils.encode_dss_signature(*halves), MESSAGE, ec.ECDSA(hashes.SHA256()))


# What P11_CAN calls a mechanism that the token lists.
LISTED = {
    "sha256-rsa": ck.CKM_SHA256_RSA_PKCS,
    "rsa-pkcs": ck.CKM_RSA_PKCS,
    "sha256-pss": ck.CKM_SHA256_RSA_PKCS_PSS,
    "pss": ck.CKM_RSA_PKCS_PSS,
    "raw-rsa": ck.CKM_RSA_X_509,
}
CHECKS = {"RSA": {"rs256": check_rs256, "ps256": check_ps256}, "EC": {"es256": check_es256}}


def inside(started):
    seconds = time.monotonic() - started
    token, can, signed = Token(), os.environ["P11_CAN"].split(), []
    listed = token.listed(parse_key(os.environ["P11_KEYS"].split()[0])[1])
    if listed != LISTED.keys() & can:
        raise RuntimeError(f"P11_CAN says {can}, the token lists {listed}")
    for entry in os.environ["P11_KEYS"].split() + os.environ["P11_LOOSE_KEYS"].split():
        kind, fields, public = parse_key(entry)
        for algorithm, check in CHECKS[kind].items():
            if algorithm in can:
                check(token, fields, public, can)
                signed.append(algorithm)
    print(f"{seconds:5.1f} s  signed {' '.join(signed)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inside", type=float, help=argparse.SUPPRESS)
    parser.add_argument("launchers", nargs="*")
    options = parser.parse_args()
    if options.inside is not None:
        inside(options.inside)
        return
    results = [run_launcher(which) for which in options.launchers or all_launchers()]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
