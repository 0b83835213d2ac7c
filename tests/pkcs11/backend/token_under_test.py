# SPDX-License-Identifier: Apache-2.0
"""What the launcher says of its token (../modules/README.md), and the program with the options for it."""

import glob
import os
import re
import shutil
import subprocess
from typing import NamedTuple

import cli
import cryptoki as ck
import pytest
from cryptography import x509

CLIENT = ("--tenant", cli.TENANT, "--client-id", cli.CLIENT)
SPY_PLACES = ("/usr/lib/*/pkcs11-spy.so", "/usr/lib*/pkcs11-spy.so", "/usr/lib*/pkcs11/pkcs11-spy.so")
SPY_CALL = re.compile(r"^\d+: (C_\w+)$", re.MULTILINE)

MODULE, MODULE_ARGS = os.environ.get("P11_MODULE", ""), os.environ.get("P11_MODULE_ARGS", "")
NAME, PIN_FILE = os.environ.get("P11_NAME", ""), os.environ.get("P11_PIN_FILE", "")
STORED = os.environ.get("P11_STORED", "").split()
AMBIGUOUS = os.environ.get("P11_AMBIGUOUS", "").split()


class Key(NamedTuple):
    kind: str  # RSA or EC
    uri: str
    path: str  # of the certificate

    @property
    def certificate(self):
        with open(self.path, "rb") as file:
            return x509.load_pem_x509_certificate(file.read())

    @property
    def token_uri(self):
        """The token alone."""
        kept = [part for part in self.uri.split(";") if not part.startswith(("id=", "object=", "type="))]
        return ";".join(kept)

    @property
    def id_text(self):
        return re.search(r";id=([^;]*)", self.uri)[1]

    @property
    def alg(self):
        """One that the key can do on every module of its kind."""
        return "RS256" if self.kind == "RSA" else "ES256"

    @property
    def is_stored(self):
        return self.uri in STORED

    def __str__(self):
        return f"{self.kind}-{self.id_text.replace('%', '')[:8]}"


def _keys(variable):
    return [Key(*entry.split("|")) for entry in os.environ.get(variable, "").split()]


KEYS, LOOSE_KEYS = _keys("P11_KEYS"), _keys("P11_LOOSE_KEYS")
CAN = set(os.environ.get("P11_CAN", "").split())
CAN |= {word for word, there in (("ambiguous", AMBIGUOUS), ("stored", STORED), (NAME, NAME)) if there}
CAN |= {"not-stored" for key in KEYS if not key.is_stored}


# On one variant of each: they differ in how they sign.
if NAME in ("softhsm", "p11kit", "tpm2", "opencryptoki", "nss"):
    CAN.add("life")

if "threads-hang" not in CAN:
    CAN.add("threads-survive")

# What libp11 cannot do (pkcs11/libp11/libp11.h) has tests of its own, in test_engines.py.
ENGINES = ("cryptoki", "libp11") if "rsa-pkcs" in CAN and NAME != "softhsm-ed25519-beside" else ("cryptoki",)
CAN |= set(ENGINES)


def libp11_version():
    done = subprocess.run(["pkg-config", "--modversion", "libp11"], check=True, capture_output=True, text=True)
    return tuple(int(part) for part in done.stdout.strip().split("."))


# Where a session cannot be opened libp11 waits for ever, before this version.
LIBP11_ANSWERS_SINCE = (0, 4, 14)
# From this one on it opens one in the place of one that has died; so it waits where a far side takes its sessions along.
LIBP11_OPENS_ANEW_SINCE = (0, 4, 13)
ENGINES_THAT_COME_BACK = ENGINES
if NAME == "p11kit" and LIBP11_OPENS_ANEW_SINCE <= libp11_version() < LIBP11_ANSWERS_SINCE:
    CAN.add("libp11-waits")
    ENGINES_THAT_COME_BACK = ("cryptoki",)


def environment():
    """All of the launcher's, which names sockets and configurations, less what keystay would read as settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KEYSTAY_", "AZURE_"))}
    return kept | (without_leak_check() if "leaks" in CAN else {})


def without_leak_check():
    """For what leaks by itself, in a library that it unloads."""
    return {"ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:detect_leaks=0"}


def read_pin():
    with open(PIN_FILE, "rb") as file:
        return file.read().rstrip(b"\n")


def spy():
    """OpenSC's module that writes down what it passes on."""
    for pattern in SPY_PLACES:
        for path in glob.glob(pattern):
            return path
    pytest.skip("needs pkcs11-spy.so (Debian: package opensc)")
    return None


def ask_token(key, *attributes):
    """The private key's attributes, as another program than keystay reads them."""
    where = dict(part.split("=", 1) for part in key.uri.removeprefix("pkcs11:").split(";"))
    key_id = bytes.fromhex(where["id"].replace("%", ""))
    with ck.Module(MODULE, MODULE_ARGS) as module:
        session = module.session(module.slot_of(where["token"].replace("%20", " "), where.get("serial")), read_pin())
        handle = session.find_one({ck.CKA_CLASS: ck.CKO_PRIVATE_KEY, ck.CKA_ID: key_id})
        return [session.get(handle, attribute) for attribute in attributes]


def flags(settings):
    for name, value in settings.items():
        if value is True:
            yield f"--{name.replace('_', '-')}"
        elif value is not None:
            yield from (f"--{name.replace('_', '-')}", str(value))


def token_settings(folder):
    """What every run has in common."""
    return {
        "module": MODULE,
        "module_args": MODULE_ARGS or None,
        "pin_source": f"file:{PIN_FILE}",
        "state_dir": os.path.join(folder, "state"),
    }


class Backend:
    """Runs the program; whatever is run, no PIN and no assertion comes out where it should not."""

    def __init__(self, folder):
        self._folder = str(folder)

    def file(self, name):
        return os.path.join(self._folder, name)

    def run(self, command, *arguments, env=None, **settings):
        options = flags(token_settings(self._folder) | settings)
        result = cli.run(*command.split(), *arguments, *options, env=environment() | (env or {}))
        if "noisy" in CAN:
            result = result._replace(err=re.sub(r"\A(?!keystay: ).*?(?=^keystay: |\Z)", "", result.err, 1, re.M | re.S))
        assert read_pin().decode("utf-8") not in result.out + result.err, result
        assert "eyJ" not in result.err, result
        return result

    def assertion(self, key, **settings):
        """With the certificate's file, unless certificate=None."""
        settings = {"key": key.uri, "certificate": key.path, "alg": key.alg} | settings
        return self.run("assertion", *CLIENT, **settings)

    def calls(self, run, **settings):
        """The PKCS#11 calls of run(**settings), in order; its result must be good."""
        result, calls = self.spied(run, **settings)
        assert result.status == 0, result
        return calls

    def spied(self, run, **settings):
        log = self.file("spy.log")
        env = without_leak_check() | {"PKCS11SPY": MODULE, "PKCS11SPY_OUTPUT": log} | settings.pop("env", {})
        result = run(module=spy(), env=env, **settings)
        with open(log, encoding="utf-8", errors="replace") as file:
            calls = SPY_CALL.findall(file.read())
        os.remove(log)  # it holds the PIN
        return result, calls

    def write_pin(self, name, pin):
        """Another PIN, for --pin-source."""
        with open(os.open(self.file(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(pin)
        return f"file:{self.file(name)}"

    def forget_refusals(self):
        shutil.rmtree(self.file("state"), ignore_errors=True)
