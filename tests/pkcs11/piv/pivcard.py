#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A virtual PIV card for the time of one command, behind pcscd and vpcd.

    pivcard.py run --dir DIR -- COMMAND...   the command's exit status, or 77 when something is missing here
    pivcard.py serve --dir DIR               prints the environment as one JSON line, serves until its stdin ends
    pivcard.py check                         prints what is missing here; 77 if something is

vpcd listens on all addresses and pcscd's socket has a fixed path, so both live in network, mount and process
namespaces of their own: nothing is reachable from outside the machine, a pcscd of the system is not disturbed, and
when the first process in there ends, for whatever reason, the kernel ends the rest. DIR/pcscd is bound over
/run/pcscd, so that a program outside reaches the card too, with PCSCLITE_CSOCK_NAME. Needs root. DIR must be
short (paths of Unix sockets end at 107 bytes) and is not cleared: a second start finds its keys there.
"""

import argparse
import ctypes
import fcntl
import glob
import importlib.util
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RUN_PCSCD = "/run/pcscd"
START_S = 60
POLL_S = 0.02
SOCKET_PATH_MAX = 107
SKIPPED, NOT_FOUND = 77, 127
PR_SET_PDEATHSIG = 1
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

FILES = {
    "driver": ("vsmartcard-vpcd", "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"),
    "PIVCARD_OPENSC": ("opensc-pkcs11", "/usr/lib/*/opensc-pkcs11.so"),
    "PIVCARD_YKCS11": ("ykcs11", "/usr/lib/*/libykcs11.so.[0-9]"),
}
PROGRAMS = {"pcscd": "pcscd", "unshare": "util-linux", "mount": "util-linux", "pkcs11-tool": "opensc"}
OPENSC_CONF = "app default {\n    framework pkcs15 {\n        use_file_caching = no;\n    }\n}\n"


def _find(name):
    return next(iter(sorted(glob.glob(FILES[name][1]))), None)


def missing():
    """What this machine lacks, in words; empty when the card can be had."""
    lacks = [] if os.geteuid() == 0 else ["root"]
    lacks += [f"{path} ({package})" for name, (package, path) in FILES.items() if _find(name) is None]
    lacks += [f"{program} ({package})" for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if importlib.util.find_spec("cryptography") is None:
        lacks.append(f"cryptography for {sys.executable} (python3-cryptography)")
    if not lacks and subprocess.run([*_unshare(), "true"], capture_output=True).returncode:
        lacks.append("the right to make namespaces (unshare)")
    return lacks


def _unshare():
    return ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]


def environment(folder):
    """What a program needs to find the card; folder as given with --dir."""
    folder = os.path.abspath(folder)
    return {
        "PCSCLITE_CSOCK_NAME": os.path.join(folder, "pcscd", "pcscd.comm"),
        "OPENSC_CONF": os.path.join(folder, "opensc.conf"),
        "PIVCARD_DIR": folder,
        "PIVCARD_CONTROL": os.path.join(folder, "control.sock"),
        "PIVCARD_OPENSC": _find("PIVCARD_OPENSC"),
        "PIVCARD_YKCS11": _find("PIVCARD_YKCS11"),
        "PIVCARD_PIN": "123456",
        "PIVCARD_PUK": "12345678",
        "PIVCARD_MANAGEMENT_KEY": "0102030405060708" * 3,
    }


# Outside the namespaces

def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _start(options):
    """Ends like the child: with its status, and with it. The child ends when this process does."""
    lacks = missing()
    if lacks:
        print(f"pivcard: needs {', '.join(lacks)}", file=sys.stderr)
        return SKIPPED
    os.makedirs(RUN_PCSCD, exist_ok=True)  # where to bind; stays, empty, until the machine starts again
    command = [*_unshare(), sys.executable, os.path.abspath(__file__), "inside", *sys.argv[2:]]
    _die_with_parent()
    child = subprocess.Popen(command, preexec_fn=_die_with_parent)
    signal.signal(signal.SIGTERM, lambda *_: child.kill())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command gets it too, and decides
    status = child.wait()
    return status if status >= 0 else 128 - status


# Inside

def _loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def _prepare(folder, found):
    for name in ("PCSCLITE_CSOCK_NAME", "PIVCARD_CONTROL"):
        if len(found[name].encode()) > SOCKET_PATH_MAX:
            raise SystemExit(f"pivcard: {found[name]} is too long for a Unix socket; take a shorter --dir")
    shutil.rmtree(os.path.join(folder, "pcscd"), ignore_errors=True)
    os.makedirs(os.path.join(folder, "pcscd"))
    if os.path.lexists(found["PIVCARD_CONTROL"]):
        os.unlink(found["PIVCARD_CONTROL"])
    with open(found["OPENSC_CONF"], "w", encoding="ascii") as file:
        file.write(OPENSC_CONF)
    subprocess.run(["mount", "--bind", os.path.join(folder, "pcscd"), RUN_PCSCD], check=True)
    _loopback_up()


def _start_emulator(options, folder):
    keys = os.path.abspath(options.keys or os.path.join(folder, "keys.json"))
    command = [sys.executable, os.path.join(HERE, "emulator.py"), "--dir", folder, "--keys", keys]
    command += ["--driver", _find("driver"), *(f"--slot={slot}" for slot in options.slot)]
    with open(os.path.join(folder, "emulator.log"), "ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _wait_for_card(emulator, folder):
    import pcsc  # not before the environment names pcscd's socket, and not where the library may be missing

    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if emulator.poll() is not None:
            break
        if os.path.exists(os.path.join(folder, "control.sock")) and pcsc.wait_until(True, POLL_S):
            return
        time.sleep(POLL_S)
    raise SystemExit(f"pivcard: the card did not come up; see {folder}/emulator.log and {folder}/pcscd.log")


def _inside(options):
    """The first process of its namespace: when it returns, the kernel ends pcscd, the card and all else in there."""
    folder = os.path.abspath(options.dir)
    found = environment(folder)
    os.makedirs(folder, exist_ok=True)
    _prepare(folder, found)
    os.environ.update(found)
    emulator = _start_emulator(options, folder)
    _wait_for_card(emulator, folder)
    if options.command:
        return _run(options.command)
    print(json.dumps(found), flush=True)
    sys.stdin.read()
    return 0


def _run(command):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = subprocess.Popen(command, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    except OSError as error:
        print(f"pivcard: {command[0]}: {error.strerror}", file=sys.stderr)
        return NOT_FOUND
    status = child.wait()
    return status if status >= 0 else 128 - status


def _check(_options):
    lacks = missing()
    print("\n".join(lacks) or "nothing is missing")
    return SKIPPED if lacks else 0


def _parse_arguments():
    parser = argparse.ArgumentParser(description="A virtual PIV card for the time of one command.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="{run,serve,check}")
    for action in ("run", "serve", "inside", "check"):
        known = actions.add_parser(action)
        if action == "check":
            continue
        known.add_argument("--dir", required=True, help="folder for sockets, logs, keys and certificates")
        known.add_argument("--keys", help="file with the card's keys, made if it is not there (DIR/keys.json)")
        known.add_argument("--slot", action="append", default=[], metavar="SLOT=ALGORITHM",
                           help="another algorithm for a slot: 9a=p256; rsa2048, p256 or p384")
        if action != "serve":
            known.add_argument("command", nargs="*", metavar="COMMAND")
    options = parser.parse_args()
    options.command = getattr(options, "command", [])
    if options.action == "run" and not options.command:
        parser.error("run what?")
    return options


def main():
    options = _parse_arguments()
    return {"run": _start, "serve": _start, "inside": _inside, "check": _check}[options.action](options)


if __name__ == "__main__":
    sys.exit(main())
