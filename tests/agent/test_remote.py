# SPDX-License-Identifier: Apache-2.0
"""A module whose far side dies, as a network HSM's does: p11-kit's remoting in front of SoftHSM."""

import glob
import os
import shutil
import signal
import subprocess

import pytest

from endure import calm, wait_for

SECONDS = 32  # about, for parts that take equally long
CLIENTS = glob.glob("/usr/lib/*/pkcs11/p11-kit-client.so") + glob.glob("/usr/lib*/pkcs11/p11-kit-client.so")


class Remote:
    """A p11-kit server over the module of a folder; it forks for each client, hence the process group."""

    def __init__(self, folder, place):
        self.folder, self.path, self._process = folder, str(place / "p11-kit"), None

    def start(self):
        self._process = subprocess.Popen(
            ["p11-kit", "server", "--foreground", "--provider", self.folder.module, "-n", self.path, "pkcs11:"],
            env={"PATH": os.environ["PATH"], "SOFTHSM2_CONF": self.folder.conf}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for(self._listens)

    def _listens(self):
        """The socket's file is there before."""
        with open("/proc/net/unix", encoding="ascii", errors="replace") as sockets:
            return any(" 00010000 " in line and line.endswith(f" {self.path}\n") for line in sockets)

    def kill(self):
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.unlink(self.path)


@pytest.fixture
def remote(main_folder, tmp_path):
    if shutil.which("p11-kit") is None or not CLIENTS:
        pytest.skip("needs p11-kit and p11-kit-modules")
    server = Remote(main_folder, tmp_path)
    server.start()
    yield server
    server.kill()


def test_a_far_side_that_is_killed_and_started_again(start, remote):
    agent = start(profiles={"main": {"module": CLIENTS[0]}},
                  env={"P11_KIT_SERVER_ADDRESS": f"unix:path={remote.path}"})
    tokens = {agent.token()}
    with calm(agent):
        for _ in range(2):
            remote.kill()
            assert agent.token() in tokens  # what is held is served
            agent.post("/v1/forget")
            answer = agent.get("/v1/token?profile=main")
            assert answer.status == 503 and answer.json["exit_status"] == 4, answer
            assert agent.get("/readyz").status in (200, 503)
            remote.start()
            wait_for(lambda: agent.get("/v1/token?profile=main").status == 200, 40)
            tokens.add(agent.token())
    assert len(tokens) == 3
