# SPDX-License-Identifier: Apache-2.0
"""What the process that holds the PIN has and has not, as the kernel tells."""

import os
import shutil
import tempfile

import pytest
from isolated import Isolated
from softhsm import Folder

NOBODY = 65534
KEPT_BACK = {"NOTIFY_SOCKET": "/run/notify", "LISTEN_PID": "1", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b",
             "WATCHDOG_PID": "1", "WATCHDOG_USEC": "1000000", "CREDENTIALS_DIRECTORY": "/run/credentials/x"}


def read(pid, name):
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read().decode("utf-8", "replace")


def status_of(pid):
    return dict(line.split(":\t", 1) for line in read(pid, "status").splitlines())


def test_the_environment_is_the_programs_less_what_is_for_it_alone(isolated):
    pin = isolated.folder.pin
    env = KEPT_BACK | {"MY_PIN": pin, "MY_PIN_IS_NOT_THIS": "kept"}
    isolated.assert_signed(isolated.start(env=env, pin_source="env:MY_PIN").sign())
    seen, _ = isolated.sight()
    assert not set(seen) & (set(KEPT_BACK) | {"MY_PIN"}), seen
    assert seen["MY_PIN_IS_NOT_THIS"] == "kept" and seen["SOFTHSM2_CONF"] == isolated.folder.conf
    assert pin not in seen.values()


def test_it_can_gain_nothing_and_leaves_no_core(isolated):
    signer = isolated.signer_of(isolated.start())
    status = status_of(signer)
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == ("2" if os.environ["HAS_SECCOMP"] == "yes" else "0")
    core = next(line for line in read(signer, "limits").splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]


def test_the_pin_is_in_no_argument(isolated):
    process = isolated.start()
    isolated.assert_signed(process.sign())
    assert read(isolated.signer_of(process), "cmdline").rstrip("\0") == os.environ["SIGNER"]


@pytest.fixture
def nobodys_folder():
    """A token of a user who is not root, where only root may look at another's processes."""
    path = tempfile.mkdtemp(prefix="keystay-isolated-", dir="/tmp")
    yield Folder(path, "--label", "nobody")
    shutil.rmtree(path)


def give_away(path, uid):
    for folder, _, files in os.walk(path):
        for name in [folder, *(os.path.join(folder, file) for file in files)]:
            os.chown(name, uid, uid)


def test_nobody_may_look_into_it(nobodys_folder):
    """Its files in /proc are root's although it is not: it cannot be dumped, and so not traced by its own user."""
    isolated = Isolated(nobodys_folder, nobodys_folder.path)
    popen, uid = {}, os.getuid()
    if uid == 0:
        give_away(nobodys_folder.path, NOBODY)
        popen, uid = {"user": NOBODY, "group": NOBODY, "extra_groups": []}, NOBODY
    process = isolated.start(popen=popen)
    signer = isolated.signer_of(process)
    isolated.assert_signed(process.sign())
    assert status_of(signer)["Uid"].split() == 4 * [str(uid)]
    assert os.stat(f"/proc/{signer}/environ").st_uid == 0
    assert os.stat(f"/proc/{process.pid}/environ").st_uid == uid
    isolated.stop()


def test_it_has_no_descriptor_but_its_own(isolated):
    ours, theirs = os.pipe()
    isolated.start(popen={"pass_fds": [ours, theirs]})
    inherited = {os.readlink(f"/proc/self/fd/{fd}") for fd in (ours, theirs)}
    for fd in (ours, theirs):
        os.close(fd)
    _, seen = isolated.sight()
    assert not inherited & set(seen.values()), seen
    assert (seen.pop(0), seen.pop(1), seen.pop(2)) == ("/dev/null", isolated.file("hold.log"), isolated.file("hold.log"))
    sockets = [number for number, target in seen.items() if target.startswith("socket:")]
    assert len(sockets) == 1 and sockets[0] >= 64, seen
    others = sorted(target.partition(":")[0] for number, target in seen.items() if number != sockets[0])
    assert others == sorted(["pipe", "pipe", isolated.file("calls")]), seen
