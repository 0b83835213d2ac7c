# SPDX-License-Identifier: Apache-2.0
"""A module that harms the process it is loaded into, and a program that must live on. HOLD, SHIM and SIGNER say what
is tested; ../backend has the program."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("../backend", "../modules", "../../e2e", "../../server"):
    sys.path.append(os.path.join(HERE, folder))

from isolated import PLACES, Isolated  # noqa: E402
from softhsm import Folder  # noqa: E402


def pytest_sessionstart():
    for name, path in PLACES.items():
        if not os.path.isfile(path):
            raise pytest.UsageError(f"{name} must name the built file; meson test --suite pkcs11 sets it")


@pytest.fixture(scope="session")
def main_folder(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("main"), "--label", "main")


@pytest.fixture(scope="session")
def ec_folder(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("ec"), "--label", "ec", "--key-type", "ec:P-256")


@pytest.fixture
def fresh_folder(tmp_path):
    """A token that no other test has sent a wrong PIN to."""
    return Folder(tmp_path / "fresh", "--label", "fresh")


@pytest.fixture
def at(tmp_path):
    """The program with the token of a folder: at(fresh_folder).start()"""
    made = []

    def at(folder, **settings):
        made.append(Isolated(folder, tmp_path, **settings))
        return made[-1]

    yield at
    for isolated in made:
        isolated.stop()


@pytest.fixture
def isolated(at, main_folder):
    return at(main_folder)
