# SPDX-License-Identifier: Apache-2.0
"""A system bus of the test's own, and a systemd-logind on it: python3-dbusmock's, which gives out descriptors and says
what it is told to say.

    with Bus(folder) as bus:
        agent = start(env=bus.environment(), agent={"lock_on_suspend": "yes"})
        with Login(bus) as login:
            login.say_sleep(True)
"""

import os
import shutil
import subprocess
import sys
import time

import pytest

NAME, PATH, MANAGER = "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"
START_S = 60
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def _python():
    """The one that has the mock."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import dbusmock"], capture_output=True, check=False).returncode == 0:
            return python
    pytest.skip("needs python3-dbusmock")


class _Process:
    _process = None

    def __enter__(self):
        self.begin()
        return self

    def __exit__(self, *_):
        self.end()

    def _wait_for(self, condition):
        deadline = time.monotonic() + START_S
        while not condition():
            assert self._process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)

    def end(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None


class Bus(_Process):
    def __init__(self, folder):
        if shutil.which("dbus-daemon") is None or shutil.which("busctl") is None:
            pytest.skip("needs dbus-daemon and busctl")
        self.path = os.path.join(folder, "bus")
        self._config = os.path.join(folder, "bus.conf")

    def environment(self):
        return {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.path}"}

    def begin(self):
        with open(self._config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(path=self.path))
        if os.path.exists(self.path):
            os.unlink(self.path)
        self._process = subprocess.Popen(["dbus-daemon", "--nofork", "--nopidfile", f"--config-file={self._config}"])
        self._wait_for(lambda: os.path.exists(self.path))

    def stop_answering(self):
        self._process.send_signal(19)  # SIGSTOP

    def call(self, *arguments):
        return subprocess.run(["busctl", f"--address=unix:path={self.path}", *arguments], capture_output=True,
                              text=True, timeout=60, check=False)


class Login(_Process):
    def __init__(self, bus):
        self._bus, self._python = bus, _python()

    def begin(self):
        self._process = subprocess.Popen(
            [self._python, "-m", "dbusmock", "--system", "--template", "logind"], stdout=subprocess.DEVNULL,
            env=os.environ | self._bus.environment())
        self._wait_for(lambda: self._call("ListInhibitors").returncode == 0)

    def _call(self, method, *arguments, interface=MANAGER):
        return self._bus.call("call", NAME, PATH, interface, method, *arguments)

    def inhibitors(self):
        """Who has it wait, as busctl writes them: how many, and the fields of each."""
        done = self._call("ListInhibitors")
        assert done.returncode == 0, done
        return done.stdout.split(None, 1)[1].strip()

    def is_waiting(self):
        return not self.inhibitors().startswith("0")

    def say_sleep(self, begins):
        done = self._call("EmitSignal", "sssav", MANAGER, "PrepareForSleep", "b", "1", "b", str(begins).lower(),
                          interface="org.freedesktop.DBus.Mock")
        assert done.returncode == 0, done
