# SPDX-License-Identifier: Apache-2.0
"""Ports to be told beforehand, for programs that listen later, or end and listen again.

One that the kernel has just given for port 0 may be somebody else's by then: it gives the same ones to whoever asks next,
and tests run side by side. These are below those that it gives, and each is one test process's own as long as that lives.
"""

import random
import socket

RANGE_PATH = "/proc/sys/net/ipv4/ip_local_port_range"
FIRST = 10000
_held = []


def _candidates():
    with open(RANGE_PATH, encoding="ascii") as file:
        low, high = map(int, file.read().split())
    return [port for port in range(FIRST, 65536) if not low <= port <= high] or list(range(low, high + 1))


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def free_port():
    """The name of a socket that nobody connects to says that it is taken; it goes with this process."""
    candidates = _candidates()
    random.shuffle(candidates)
    for port in candidates:
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0keystay-tests-port-{port}")
        except OSError:
            name.close()
            continue
        if _is_free(port):
            _held.append(name)
            return port
        name.close()
    raise RuntimeError("no port is free")
