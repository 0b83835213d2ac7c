# SPDX-License-Identifier: Apache-2.0
"""hold.c: a process that lives on while its token goes and comes back."""

import os
import selectors
import subprocess
import time

from cli import SANITIZER_STATUS
from token_under_test import environment, flags, token_settings

HOLD = os.environ.get("HOLD", "")


class Answer:
    """One line of hold: `jws` is set, or `status` and `message` are."""

    def __init__(self, line, seconds):
        word, _, rest = line.partition(" ")
        assert word in ("ok", "error"), line
        self.jws = rest if word == "ok" else None
        self.status, _, self.message = ("ok", "", "") if word == "ok" else rest.partition(" ")
        self.seconds = seconds

    def __repr__(self):
        return f"{self.status} after {self.seconds:.2f} s: {self.message}"


def refusal(folder, key, env=None, **settings):
    """Why the signer cannot be opened, as an Answer."""
    settings = {"key": key.uri, "certificate": key.path, "alg": key.alg} | settings
    done = subprocess.run([HOLD, *flags(token_settings(folder) | settings)], env=environment() | (env or {}),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and done.stdout.count("\n") == 1, done
    return Answer(done.stdout.strip(), 0)


class Hold:
    def __init__(self, folder, key, env=None, within_s=60, popen=None, **settings):
        settings = {"key": key.uri, "certificate": key.path, "alg": key.alg} | settings
        self._log_path = os.path.join(folder, "hold.log")
        with open(self._log_path, "ab") as log:
            self._process = subprocess.Popen(
                [HOLD, *flags(token_settings(folder) | settings)], env=environment() | (env or {}),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, **(popen or {}))
        self._pending = b""
        try:
            line = self._line(within_s)
            assert line == "open", (line, self.log())
        except AssertionError:
            self._process.kill()
            self._process.communicate()
            raise

    def log(self):
        """What it said on stderr."""
        with open(self._log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def _line(self, within_s):
        end = time.monotonic() + within_s
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                assert ready.select(max(end - time.monotonic(), 0)), f"no answer in {within_s} s; {self.log()}"
                more = os.read(self._process.stdout.fileno(), 65536)
                assert more, f"it ended with status {self._process.wait()}; {self.log()}"
                self._pending += more
        line, self._pending = self._pending.split(b"\n", 1)
        return line.decode("utf-8")

    @property
    def pid(self):
        return self._process.pid

    def ask(self, what=b"", times=1):
        """So many signatures, or what else there is to ask for; answer() has what comes of each."""
        self._process.stdin.write(times * (what + b"\n"))
        self._process.stdin.flush()

    def answer(self, within_s=60, started=None):
        """`started` is when it was asked; now, if nothing is said."""
        started = started or time.monotonic()
        line = self._line(within_s)
        return Answer(line, time.monotonic() - started)

    def sign(self, within_s=60, what=b""):
        """One signature, or why there is none; an answer there must be. what: b"check" or b"lock" instead."""
        started = time.monotonic()
        self.ask(what)
        return self.answer(within_s, started)

    def kill(self):
        self._process.kill()
        self._process.communicate()

    def all(self):
        """What --threads has signed, when it has ended well."""
        out, _ = self._process.communicate(timeout=120)
        self._check_end()
        return [Answer(line, 0) for line in (self._pending + out).decode("utf-8").splitlines()]

    def _check_end(self):
        assert self._process.returncode == 0, (self._process.returncode, self.log())

    def stop(self):
        """Ends as it would by itself; a fault on the way out is a fault, too."""
        if self._process.returncode is not None:  # killed by the test, or ended and looked at
            return
        try:
            self._process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        assert self._process.returncode != SANITIZER_STATUS, self.log()
        self._check_end()
