# SPDX-License-Identifier: Apache-2.0
"""What holds for every suite: in CI nothing may skip, since a tool that is missing there would hide its tests for ever."""

import os

import pytest
from _pytest.runner import runtestprotocol

NOT_CI = ("", "0", "false", "no")  # values of CI, as tests/check.sh reads them


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    report = (yield).get_result()
    if report.skipped and os.environ.get("CI", "") not in NOT_CI:
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI allows no skip: {report.longrepr}"


# pkcs11/latch.h: what is kept of a refused PIN is one byte, so another PIN looks like it once in 256 times, by design.
COLLISION = "this PIN was refused before"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """A test that ends in such a collision is run once more, with another salt; a fault would show again."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(report.failed and COLLISION in str(report.longrepr) for report in reports):
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
