# SPDX-License-Identifier: Apache-2.0
"""What holds for every suite: in CI nothing may skip, since a tool that is missing there would hide its tests for ever."""

import os

import pytest

NOT_CI = ("", "0", "false", "no")  # values of CI, as tests/check.sh reads them


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    report = (yield).get_result()
    if report.skipped and os.environ.get("CI", "") not in NOT_CI:
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI allows no skip: {report.longrepr}"
