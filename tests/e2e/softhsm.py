# SPDX-License-Identifier: Apache-2.0
"""Throw-away SoftHSM tokens for the tests: folders that softhsm-fixtures/make-token.sh makes.

Tests share folders: nothing that the program does to a token, a wrong PIN included, lasts in SoftHSM. What a
folder must never have is a key that matters.
"""

import os
import shutil
import subprocess

import pytest
from cryptography import x509

MAKE_TOKEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../softhsm-fixtures/make-token.sh")
TOOLS = ("p11tool", "certtool", "pkcs11-tool")


class Folder:
    """One SoftHSM, with the tokens that were made in it."""

    def __init__(self, path, *options):
        missing = [tool for tool in TOOLS if shutil.which(tool) is None]
        if missing:
            pytest.skip(f"needs {', '.join(missing)}")
        self.path = str(path)
        self._make(*options)
        self.conf = self.file("softhsm2.conf")
        self.module = self.read("module").strip()
        self.pin = self.read("pin").strip()
        self.pin_source = f"file:{self.file('pin')}"

    def _make(self, *options):
        subprocess.run(["sh", MAKE_TOKEN, self.path, *options], check=True)

    def add(self, *options):
        """Another token, or, with --add-key, another key."""
        self._make(*options)
        return self

    def file(self, name):
        return os.path.join(self.path, name)

    def read(self, name):
        with open(self.file(name), encoding="utf-8") as file:
            return file.read()

    def write(self, name, text, mode=0o600):
        """A file beside the token, such as another PIN; the path of it."""
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        with open(os.open(self.file(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(data)
        os.chmod(self.file(name), mode)
        return self.file(name)

    def certificate(self, name="cert.pem"):
        return x509.load_pem_x509_certificate(self.read(name).encode("ascii"))

    def store_certificate(self, path, label, key_id):
        """Puts a certificate onto the token, whosever it is."""
        environment = os.environ | {"SOFTHSM2_CONF": self.conf, "GNUTLS_PIN": self.pin}
        command = ["p11tool", "--provider", self.module, "--batch", "--login", "--write",
                   "--load-certificate", path, "--id", key_id, "--label", label, "pkcs11:model=SoftHSM%20v2"]
        subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL, capture_output=True)
