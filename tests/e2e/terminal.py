# SPDX-License-Identifier: Apache-2.0
"""A person at a terminal: runs the program with a controlling terminal of its own and types for it."""

import contextlib
import fcntl
import os
import pty
import select
import subprocess
import termios
import time

import cli

PATIENCE_S = 60
NOTHING_HAPPENS_S = 5  # after an interrupt


class Terminal:
    """The program on a terminal. stdout goes elsewhere, and stderr too unless it is wanted: what is shown here
    is the prompt alone."""

    def __init__(self, arguments, env, stderr_too=False):
        self._master, self._slave = pty.openpty()
        self.shown = b""
        self._process = subprocess.Popen(
            [cli.PROGRAM, *arguments], env=cli.environment(env), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=self._slave if stderr_too else subprocess.PIPE, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(self._slave, termios.TIOCSCTTY, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()
        os.close(self._master)
        os.close(self._slave)

    def has_echo(self):
        return bool(termios.tcgetattr(self._slave)[3] & termios.ECHO)

    def _read(self, patience_s):
        is_more = bool(select.select([self._master], [], [], patience_s)[0])
        if is_more:
            self.shown += os.read(self._master, 4096)
        return is_more

    def wait_for(self, is_there):
        deadline = time.monotonic() + PATIENCE_S
        while not is_there():
            assert time.monotonic() < deadline and self._process.poll() is None, self.shown
            self._read(0.01)

    def wait_for_question(self):
        """Until the question is shown and the terminal no longer echoes."""
        self.wait_for(lambda: self.shown.endswith(b": ") and not self.has_echo())

    def type(self, text):
        os.write(self._master, text.encode("utf-8"))

    def interrupt(self):
        """As a person does: once more when nothing happens. One that comes between the prompt and the read that
        follows it is noted by OpenSSL, and does not end that read."""
        deadline = time.monotonic() + PATIENCE_S
        while self._process.poll() is None and time.monotonic() < deadline:
            self.type("\x03")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(NOTHING_HAPPENS_S)

    def finish(self):
        """(exit status, stdout, stderr) once the program has ended."""
        out, err = self._process.communicate(timeout=cli.PATIENCE_S)
        while self._read(0):
            pass
        cli.hear(self.shown.decode("utf-8", "replace"))
        return self._process.returncode, out.decode("utf-8"), cli.hear((err or b"").decode("utf-8"))
