# SPDX-License-Identifier: Apache-2.0
"""The launcher's promises: the command's status, a card that is there at once, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

import pivcard
from virtualcard import PROGRAM

GONE_S = 30
READY = "ready"


@pytest.fixture(scope="session", autouse=True)
def possible():
    lacks = pivcard.missing()
    if lacks:
        pytest.skip(f"needs {', '.join(lacks)}")


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """One file for all starts, so that only the first one makes keys."""
    return str(tmp_path_factory.mktemp("keys") / "keys.json")


def arguments(folder, keys, *command):
    return [sys.executable, PROGRAM, "run", "--dir", str(folder), "--keys", keys, "--", *command]


def run(folder, keys, *command):
    return subprocess.run(arguments(folder, keys, *command), capture_output=True, text=True, timeout=60)


def processes(folder):
    """Command lines that name the folder."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                line = file.read()
        except OSError:
            continue
        if os.fsencode(folder) in line:
            found.append(line)
    return found


def wait_until_gone(folder):
    deadline = time.monotonic() + GONE_S
    while processes(folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    return processes(folder) == []


@pytest.mark.parametrize("script, status", (("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 128 + signal.SIGTERM)))
def test_the_status_is_the_commands(tmp_path, keys, script, status):
    assert run(tmp_path, keys, "sh", "-c", script).returncode == status
    assert wait_until_gone(tmp_path)


def test_a_command_that_is_not_there(tmp_path, keys):
    done = run(tmp_path, keys, "/nonexistent")
    assert (done.returncode, done.stderr) == (127, "pivcard: /nonexistent: No such file or directory\n")


def test_the_card_is_there_at_once_and_only_on_this_loopback(tmp_path, keys):
    done = run(tmp_path, keys, "sh", "-c", "opensc-tool --list-readers && cat /proc/net/dev")
    assert "Yes             Yubico" in done.stdout
    assert [line.split(":")[0].strip() for line in done.stdout.splitlines() if ":" in line] == ["lo"]


def test_a_process_left_behind_ends_with_the_command(tmp_path, keys):
    """It has left the session and ignores the signals that it could be told by."""
    stubborn = f"trap '' TERM INT HUP; echo {READY} >{tmp_path}/started; sleep 60; :"
    run(tmp_path, keys, "sh", "-c", f'setsid sh -c "{stubborn}" {tmp_path} </dev/null >/dev/null 2>&1 & sleep 0.2')
    assert (tmp_path / "started").exists()
    assert wait_until_gone(tmp_path)


@pytest.mark.parametrize("number", (signal.SIGKILL, signal.SIGTERM))
def test_killed_it_takes_all_with_it(tmp_path, keys, number):
    process = subprocess.Popen(arguments(tmp_path, keys, "sh", "-c", f"echo {READY}; sleep 60"),
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == READY
    assert len(processes(tmp_path)) > 2
    process.send_signal(number)
    process.wait()
    process.stdout.close()
    assert wait_until_gone(tmp_path)


def test_it_ends_with_its_parent(tmp_path, keys):
    script = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    command = arguments(tmp_path, keys, "sh", "-c", f"echo {READY}; sleep 60")
    parent = subprocess.Popen([sys.executable, "-c", script, *command], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline().strip() == READY
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_until_gone(tmp_path)


def test_two_at_once(tmp_path, keys):
    script = "sleep 1; pkcs11-tool --module $PIVCARD_YKCS11 --list-token-slots"
    both = [subprocess.Popen(arguments(tmp_path / name, keys, "sh", "-c", script), stdout=subprocess.PIPE, text=True)
            for name in ("one", "two")]
    for process in both:
        said, _ = process.communicate(timeout=60)
        assert (process.returncode, said.count("YubiKey PIV #12345678")) == (0, 1)


def test_other_algorithms(tmp_path, keys):
    command = arguments(tmp_path, str(tmp_path / "other.json"), "pkcs11-tool", "--module",
                        pivcard.environment(tmp_path)["PIVCARD_OPENSC"], "--login", "--pin", "123456", "-O")
    done = subprocess.run([*command[:3], "--slot", "9a=p256", *command[3:]], capture_output=True, text=True)
    assert "Private Key Object; EC\n  label:      PIV AUTH key" in done.stdout, done.stderr


def test_a_path_too_long_for_a_socket_is_refused(tmp_path, keys):
    done = run(tmp_path / ("x" * 100), keys, "true")
    assert done.returncode == 1 and "too long" in done.stderr
