# SPDX-License-Identifier: Apache-2.0
"""A wall clock that a test sets, for programs that are tested: libfaketime. Their other clocks go on as they are, as they
do when somebody sets a real one.

    clock = Clock(folder, program)
    result = keystay.token(env=clock.environment())
    clock.set(-3600)                                    an hour behind, for programs that run too
"""

import glob
import os
import subprocess
import time

import pytest

LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")
SANITIZERS = ("libasan.so", "libtsan.so")


def _library():
    for pattern in LIBRARIES:
        for path in glob.glob(pattern):
            return path
    pytest.skip("needs libfaketime")


def _sanitizers(program):
    """A sanitizer's own library wants to be the first of all: before what is preloaded too."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return [words[2] for words in (line.split() for line in done.stdout.splitlines())
            if len(words) > 2 and words[0].startswith(SANITIZERS)]


class Clock:
    def __init__(self, folder, program):
        self._path = os.path.join(str(folder), "clock")
        self._preload = ":".join([*_sanitizers(program), _library()])
        self.set(0)

    def set(self, ahead_s):
        """How far it is ahead of the real one."""
        with open(self._path + ".new", "w", encoding="ascii") as file:
            file.write(f"{ahead_s:+d}")
        os.rename(self._path + ".new", self._path)
        self.ahead_s = ahead_s

    def set_to(self, time_s):
        self.set(int(time_s - time.time()))

    def now(self):
        return time.time() + self.ahead_s

    def environment(self):
        return {"LD_PRELOAD": self._preload, "FAKETIME_TIMESTAMP_FILE": self._path, "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}
