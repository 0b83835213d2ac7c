# SPDX-License-Identifier: Apache-2.0
"""What all cases share: one server, and a token of each kind of key, for the whole session."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for neighbour in ("../server", "../e2e"):
    sys.path.append(os.path.join(HERE, neighbour))

import cli  # noqa: E402
from server import CaseServer  # noqa: E402
from softhsm import Folder  # noqa: E402


def pytest_sessionstart():
    if not os.path.isfile(cli.PROGRAM):
        raise pytest.UsageError("KEYSTAY must name the built program; meson test --suite cases sets it")


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """key: "rsa" or "ec", as a case says; made when the first case asks for it."""
    kinds = {"rsa": "rsa:2048", "ec": "ec:P-256"}
    made = {}

    def folder(kind):
        if kind not in made:
            made[kind] = Folder(tmp_path_factory.mktemp(kind), "--key-type", kinds[kind])
        return made[kind]
    return folder


@pytest.fixture(scope="session")
def case_server(tmp_path_factory):
    server = CaseServer(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()
