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

NOT_CI = ("", "0", "false", "no")  # values of CI, as tests/check.sh reads them


def pytest_sessionstart():
    if not os.path.isfile(cli.PROGRAM):
        raise pytest.UsageError("KEYSTAY must name the built program; meson test --suite cases sets it")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """In CI nothing may skip: a tool that is missing there would hide its tests for ever."""
    report = (yield).get_result()
    if report.skipped and os.environ.get("CI", "") not in NOT_CI:
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI allows no skip: {report.longrepr}"


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
