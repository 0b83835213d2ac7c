# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests: tokens, a server, and the program between them.

Tokens and server live for the whole session, since making them costs the most; the server forgets its log
before each test, and is started anew when a test left part of a script behind. KEYSTAY and SHIM say what is
tested.
"""

import collections
import heapq
import os
import sys

import pytest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../server"))

import cli  # noqa: E402
import softkey  # noqa: E402
from cli import CLIENT, DOMAIN, OTHER_CLIENT, TENANT, Keystay  # noqa: E402
from harness import AuthServer  # noqa: E402
from softhsm import Folder  # noqa: E402

SECONDS_EACH = 0.5  # what a test takes that does not wait, under the sanitizers


def pytest_sessionstart():
    for name, path in (("KEYSTAY", cli.PROGRAM), ("SHIM", cli.SHIM)):
        if not os.path.isfile(path):
            raise pytest.UsageError(f"{name} must name the built file; meson test --suite e2e sets it")


def pytest_addoption(parser):
    parser.addoption("--part", default="1/1", help="I/N: of N parts of the files that take equally long, the Ith")


def _parts(items, n_parts):
    """Lists of files. The longest goes to whom has least: a file that waits says in SECONDS for about how long."""
    seconds = collections.Counter({item.path: getattr(item.module, "SECONDS", 0) for item in items})
    for item in items:
        seconds[item.path] += SECONDS_EACH
    parts = [(0, i, []) for i in range(n_parts)]
    for path in sorted(seconds, key=lambda path: (-seconds[path], path)):
        taken, i, files = heapq.heappop(parts)
        heapq.heappush(parts, (taken + seconds[path], i, [*files, path]))
    return [files for _, _, files in sorted(parts, key=lambda part: part[1])]


def pytest_collection_modifyitems(config, items):
    part, n_parts = (int(number) for number in config.getoption("part").split("/"))
    if not 1 <= part <= n_parts:
        raise pytest.UsageError("--part is I/N, 1/N to N/N")
    mine = _parts(items, n_parts)[part - 1]
    config.hook.pytest_deselected(items=[item for item in items if item.path not in mine])
    items[:] = [item for item in items if item.path in mine]


class ScriptedServer(AuthServer):
    """Counts the steps that it was given, to know whether all were used."""

    n_steps = 0

    def script(self, steps):
        self.n_steps += sum(step.get("repeat", 1) for step in steps)
        super().script(steps)

    def is_script_used_up(self):
        return sum(entry["outcome"]["scripted"] for entry in self.log()) >= self.n_steps


class Servers:
    """The one server of the session, or its successor."""

    def __init__(self, folder, clients):
        self._folder, self._clients, self._current = folder, clients, None

    def take(self):
        if self._current is None:
            self._current = ScriptedServer(self._folder, [f"{TENANT}={DOMAIN}"], self._clients)
        self._current.clear_log()
        self._current.n_steps = 0
        return self._current

    def give_back(self):
        if not self._current.is_script_used_up():
            self.stop()

    def stop(self):
        if self._current is not None:
            self._current.stop()
        self._current = None


@pytest.fixture(scope="session")
def make_folder(tmp_path_factory):
    return lambda name, *options: Folder(tmp_path_factory.mktemp(name), "--label", name, *options)


@pytest.fixture(scope="session")
def main_folder(make_folder):
    """One token with key and certificate: where everything is right."""
    return make_folder("main", "--cert-on-token")


@pytest.fixture(scope="session")
def keys_folder(make_folder):
    """One token with two keys of the same label, ids 01 and 02, and no certificate on it."""
    folder = make_folder("keys")
    return folder.add("--add-key", "--label", "keys", "--key-id", "02", "--cert", "two.pem")


@pytest.fixture(scope="session")
def twins_folder(make_folder):
    """Two tokens of the same label."""
    return make_folder("twin").add("--add", "--label", "twin", "--cert", "other.pem")


@pytest.fixture(scope="session")
def stranger():
    """A client whose key is in no token."""
    key = softkey.rsa_key()
    return softkey.SoftClient(OTHER_CLIENT, key, softkey.certificate(key))


@pytest.fixture(scope="session")
def registered(main_folder, stranger, tmp_path_factory):
    path = tmp_path_factory.mktemp("stranger") / "cert.pem"
    path.write_bytes(stranger.pem())
    return {CLIENT: [main_folder.file("cert.pem")], OTHER_CLIENT: [path]}


@pytest.fixture(scope="session")
def servers(registered, tmp_path_factory):
    servers = Servers(tmp_path_factory.mktemp("server"), registered)
    yield servers
    servers.stop()


@pytest.fixture
def server(servers):
    yield servers.take()
    servers.give_back()


@pytest.fixture
def at(server, tmp_path):
    """The program with the tokens of a folder: at(keys_folder).token(...)"""
    return lambda folder: Keystay(folder, server, tmp_path / "calls")


@pytest.fixture
def keystay(at, main_folder):
    return at(main_folder)
