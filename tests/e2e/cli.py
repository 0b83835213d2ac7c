# SPDX-License-Identifier: Apache-2.0
"""Runs the program as its users do: a process of its own, a clean environment, no terminal.

    result = keystay.token(alg="RS256")                 options as keywords; None leaves a default out
    result = keystay.token(shim="C_Login=0xA4")         through the shim, tests/pkcs11/shim_rules.h
    refused(result, 8, "CKR_PIN_LOCKED", hint="PUK")    status, empty stdout, words of message and hint

Whatever is run is held to two rules: no PIN and no assertion comes out where it should not, and no sanitizer
has anything to say.
"""

import collections
import json
import os
import subprocess
import time
from typing import NamedTuple

PROGRAM = os.environ.get("KEYSTAY", "")
SHIM = os.environ.get("SHIM", "")

TENANT = "5a1f6d3e-0b7c-4c58-8a55-2f3f0a9d4b17"
DOMAIN = "fabrikam.example"
CLIENT = "c7b1f0d2-6f0e-4d6e-9a44-1d2b7c9e8f30"
OTHER_CLIENT = "0e9d8c7b-1a2b-4c3d-8e5f-aabbccddeeff"  # registered with a certificate that no token has
RESOURCE = "https://graph.example"
SCOPE = f"{RESOURCE}/.default"

SANITIZER_STATUS = 99
PATIENCE_S = 150  # for a process that should have ended long ago
heard = []  # what programs said that is about PINs, in the test that runs: ../conftest.py looks at it
PASSED_ON = ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS")


def hear(text):
    if "PIN" in text:
        heard.append(text)
    return text


class Result(NamedTuple):
    status: int
    out: str
    err: str
    seconds: float
    calls: collections.Counter  # of the module, when it was the shim

    @property
    def token(self):
        """What raw format prints: one line."""
        assert self.status == 0, self
        assert self.out.endswith("\n") and self.out.count("\n") == 1, self
        return self.out[:-1]

    @property
    def json(self):
        assert self.status == 0, self
        return json.loads(self.out)

    @property
    def hint(self):
        return self.err.partition("\n  try: ")[2].partition("\n")[0]


def refused(result, status, *words, hint=""):
    """Checks that a run ended in this error, and hands it back."""
    assert (result.status, result.out) == (status, ""), result
    assert result.err.startswith("keystay: "), result
    missing = [word for word in words if word not in result.err]
    assert not missing, (missing, result.err)
    assert hint in result.hint, result.err
    return result


def environment(changes=None):
    """What a process gets: nothing of whoever runs the tests but the sanitizers' options."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    kept |= {"HOME": "/nonexistent", "KEYSTAY_CONFIG": "/dev/null", "LANG": "C", "no_proxy": "*"}
    # Whoever looks through the registry meets the TPM's module, which makes its store in the working directory.
    kept |= {"TPM2_PKCS11_STORE": "/nonexistent"}
    kept.update(changes or {})
    if "ASAN_OPTIONS" in kept:
        # Beside threads and libraries that are loaded late LeakSanitizer's tracer crashes once in some hundred runs
        # ("Tracer caught signal 11"). Leaks are looked for in the unit tests, by it and by valgrind.
        kept["ASAN_OPTIONS"] += ":detect_leaks=0"
    return {name: value for name, value in kept.items() if value is not None}


def _start(arguments, env, popen):
    popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | popen
    return subprocess.Popen([PROGRAM, *arguments], env=environment(env), start_new_session=True, **popen)


def _finish(process):
    try:
        return process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise


def run(*arguments, env=None, **popen):
    """The program with these very arguments."""
    started = time.monotonic()
    process = _start(arguments, env, popen)
    out, err = ((text or b"").decode("utf-8") for text in _finish(process))
    seconds = time.monotonic() - started
    hear(err)
    result = Result(process.returncode, out, err, seconds, collections.Counter())
    assert result.status >= 0 and result.status != SANITIZER_STATUS, result
    return result


def _flags(options):
    for name, value in options.items():
        if value is True:
            yield f"--{name.replace('_', '-')}"
        elif value is not None:
            yield from (f"--{name.replace('_', '-')}", str(value))


class Keystay:
    """The program with one folder of tokens and one server."""

    def __init__(self, folder, server, count_path):
        self.folder, self.server, self._count_path = folder, server, str(count_path)
        self.defaults = {
            "authority": server.url,
            "cacert": server.cacert,
            "tenant": TENANT,
            "client_id": CLIENT,
            "scope": SCOPE,
            "module": folder.module,
            "key": "pkcs11:object=assertion",
            "certificate": folder.file("cert.pem"),
            "pin_source": folder.pin_source,
        }

    def arguments(self, command="token", **changes):
        return [command, *_flags(self.defaults | changes)]

    def environment(self, changes=None, shim=None):
        # SoftHSM remembers a wrong PIN until the next right one; tests that are not about that must not mind.
        env = {
            "SOFTHSM2_CONF": self.folder.conf,
            "KEYSTAY_STATE_DIR": os.path.join(os.path.dirname(self._count_path), "state"),
            "KEYSTAY_PIN_COUNT_LOW": "try",
        }
        if shim is not None:
            env |= {"SHIM_MODULE": self.folder.module, "SHIM_FAULT": shim, "SHIM_COUNT": self._count_path}
        return env | (changes or {})

    def token(self, command="token", env=None, shim=None, extra=(), popen=None, **changes):
        if shim is not None:
            changes = {"module": SHIM} | changes
            open(self._count_path, "w", encoding="ascii").close()
        arguments = [*self.arguments(command, **changes), *extra]
        result = run(*arguments, env=self.environment(env, shim), **(popen or {}))
        self._check_secrets(result)
        return result._replace(calls=self._calls()) if shim is not None else result

    def assertion(self, **changes):
        return self.token("assertion", **changes)

    def start(self, popen=None, **changes):
        """The running process, for a test that looks at it from outside."""
        return _start(self.arguments(**changes), self.environment(), popen or {})

    def module_saw(self):
        """All that is in the file that the shim keeps open to count its calls in."""
        with open(self._count_path, encoding="utf-8") as file:
            return file.read()

    def _calls(self):
        return collections.Counter(self.module_saw().split())

    def _check_secrets(self, result):
        """The PIN is nowhere, and stderr holds no JWT, which begins with {" in base64url."""
        assert self.folder.pin not in result.out + result.err, result
        assert "eyJ" not in result.err, result
