# SPDX-License-Identifier: Apache-2.0
"""hold.c with --isolate, behind the shim, and the processes that belong to it as the kernel sees them."""

import collections
import os
import signal
import time
from typing import NamedTuple

import signed
from hold import HOLD, Hold, refusal

SHIM, SIGNER = os.environ.get("SHIM", ""), os.environ.get("SIGNER", "")
PLACES = {"HOLD": HOLD, "SHIM": SHIM, "SIGNER": SIGNER}
SOON_S = 60
HERE = os.path.dirname(os.path.abspath(__file__))


class Key(NamedTuple):
    uri: str
    path: str
    alg: str = "RS256"


def until(condition, within_s=SOON_S):
    """Waits for it; what it gave."""
    end = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {within_s} s"
        time.sleep(0.005)
    return found


def _stat(pid):
    """Name, state and parent of a process; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            name, _, rest = file.read().partition("(")[2].rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent = rest.split()[:2]
    return name, state, int(parent)


def is_running(pid):
    found = _stat(pid)
    return found is not None and found[1] not in "ZX"


def children_of(pid, name="keystay-signer"):
    """Those of a program that have this name: its signer processes."""
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    return [child for child in pids
            if (found := _stat(child)) and found[0] == name and found[1] not in "ZX" and found[2] == pid]


def is_sanitized():
    with open(HOLD, "rb") as file:
        return b"__asan_init" in file.read()


def sanitizer_options(more):
    """Environment with these, beside what there is; without a sanitizer nobody reads them."""
    return {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":" + more}


def memory_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))


def n_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Isolated:
    """One token, one folder for what the program and the shim leave behind."""

    def __init__(self, folder, path, **settings):
        self.folder, self._path, self._started = folder, str(path), []
        self.key = Key("pkcs11:object=assertion", folder.file("cert.pem"))
        self._settings = {"module": SHIM, "isolate": True, "signer_program": SIGNER, "timeout": 20,
                          "pin_source": folder.pin_source} | settings

    def file(self, name):
        return os.path.join(self._path, name)

    def _environment(self, fault, once, env):
        shim = {"SOFTHSM2_CONF": self.folder.conf, "SHIM_MODULE": self.folder.module, "SHIM_FAULT": fault,
                "SHIM_COUNT": self.file("calls"), "SHIM_SIGHT": self.file("sight")}
        return shim | ({"SHIM_ONCE": self.file("once")} if once else {}) | (env or {})

    def start(self, fault="", once=False, env=None, popen=None, **settings):
        """The program, with the signer open."""
        process = Hold(self._path, self.key, env=self._environment(fault, once, env), popen=popen,
                       **(self._settings | settings))
        self._started.append(process)
        return process

    def sight(self):
        """Environment and descriptors of the process that loaded the module last."""
        with open(self.file("sight"), encoding="utf-8") as file:
            lines = file.read().splitlines()
        variables = dict(line.split("=", 1) for line in lines if "=" in line)
        return variables, {int(number): target for number, _, target in (line.partition(" ") for line in lines)
                           if number.isdigit()}

    def refusal(self, fault="", once=False, env=None, **settings):
        """Why there is no signer."""
        return refusal(self._path, self.key, env=self._environment(fault, once, env), **(self._settings | settings))

    def calls(self):
        """Of the module, in all processes so far."""
        try:
            with open(self.file("calls"), encoding="ascii") as file:
                return collections.Counter(file.read().split())
        except FileNotFoundError:
            return collections.Counter()

    def has_harmed(self):
        return os.path.exists(self.file("once"))

    def set_harmed(self):
        """As if it had been: harm waits until the file, whose path this is, is gone."""
        with open(self.file("once"), "w", encoding="ascii"):
            return self.file("once")

    def assert_signed(self, answer, number=None):
        assert answer.jws is not None, answer
        claims = signed.read(answer.jws, self.folder.certificate())[1]
        assert number is None or claims["jti"] == str(number), claims

    def signer_of(self, process):
        """The one there is."""
        found = until(lambda: children_of(process.pid))
        assert len(found) == 1, found
        return found[0]

    def kill_signer(self, process):
        os.kill(self.signer_of(process), signal.SIGKILL)

    def stop(self):
        """Whatever happened, no secret was said of it, and no process is left."""
        pids = [pid for process in self._started for pid in children_of(process.pid)]
        for process in self._started:
            process.stop()
            assert self.folder.pin not in process.log() and "eyJ" not in process.log(), process.log()
        until(lambda: not any(is_running(pid) for pid in pids))
