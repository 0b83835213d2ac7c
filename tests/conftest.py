# SPDX-License-Identifier: Apache-2.0
"""What holds for every suite: in CI nothing may skip, since a tool that is missing there would hide its tests for ever."""

import inspect
import os
import sys

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
COLLISION = "refused before"
AGAIN = 3


def _has_collided(item, reports):
    """A test that itself speaks of these words has sent the same PIN again, and is not excused by them. What programs
    said is looked at too: pytest shows it shortened, or not at all."""
    heard = getattr(sys.modules.get("cli"), "heard", [])
    words = [str(report.longrepr) for report in reports if report.failed]
    is_excused = COLLISION not in inspect.getsource(item.function)
    return words != [] and is_excused and any(COLLISION in text for text in words + heard)


def _run(item, nextitem):
    if "cli" in sys.modules:
        sys.modules["cli"].heard.clear()
    return runtestprotocol(item, nextitem=nextitem, log=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """A test that ends in such a collision is run again, with another salt; a fault would show each time."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = _run(item, nextitem)
    for _ in range(AGAIN):
        if _has_collided(item, reports):
            item._initrequest()
            reports = _run(item, nextitem)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
