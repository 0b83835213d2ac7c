# SPDX-License-Identifier: Apache-2.0
"""Starts the virtual card for a test suite and ends it.

    with VirtualCard(folder, keys="build/piv-keys.json") as card:
        subprocess.run(["pkcs11-tool", "--module", card.modules["opensc"], "-O"], env=card.environment())
        card.control.remove()

Inside of `pivcard.py run` it takes the card that is there. It must not outlive the test: the launcher ends with
the process that started it.
"""

import json
import os
import subprocess
import sys

import pivcard
from control import Control

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pivcard.py")
NAMES = tuple(pivcard.environment("/"))


class VirtualCard:
    def __init__(self, folder, keys=None, slots=()):
        self._process = None
        if "PIVCARD_CONTROL" in os.environ:
            self._found = {name: os.environ[name] for name in NAMES}
        else:
            self._found = self._serve(folder, keys, slots)
        self.control = Control(self._found["PIVCARD_CONTROL"])
        self.folder = self._found["PIVCARD_DIR"]
        self.pin, self.puk = self._found["PIVCARD_PIN"], self._found["PIVCARD_PUK"]
        self.modules = {"opensc": self._found["PIVCARD_OPENSC"], "ykcs11": self._found["PIVCARD_YKCS11"]}

    def _serve(self, folder, keys, slots):
        command = [sys.executable, PROGRAM, "serve", "--dir", str(folder), *(f"--slot={slot}" for slot in slots)]
        command += ["--keys", str(keys)] if keys else []
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the virtual card did not start: status {self._process.wait()}")
        return json.loads(line)

    def environment(self):
        """The environment of a program that is to find the card."""
        return os.environ | self._found

    def certificate_pem(self, name):
        """Of a slot ("9a"), of the attestation key ("f9"), or of the root above that ("root")."""
        with open(os.path.join(self.folder, f"{name}.pem"), "rb") as file:
            return file.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.control.close()
        if self._process is not None:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
