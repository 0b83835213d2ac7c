# SPDX-License-Identifier: Apache-2.0
"""One suite for every module: run.sh starts it inside a launcher of ../modules, which describes itself in P11_*.

`@pytest.mark.wants("pss", "restart")` keeps a test to the modules that can; for the others it is deselected, not
skipped, since nothing is missing. KEYSTAY and HOLD say what is tested.
"""

import functools
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("../modules", "../../e2e", "../../server"):
    sys.path.append(os.path.join(HERE, folder))

import cli  # noqa: E402
from hold import HOLD, Hold  # noqa: E402
from token_under_test import CAN, ENGINES, ENGINES_THAT_COME_BACK, Backend  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "wants(ability...): only for modules that can, see P11_CAN")


def pytest_sessionstart():
    for name, path in (("KEYSTAY", cli.PROGRAM), ("HOLD", HOLD)):
        if not os.path.isfile(path):
            raise pytest.UsageError(f"{name} must name the built file; meson test --suite backend sets it")


def pytest_collection_modifyitems(config, items):
    kept, dropped = [], []
    for item in items:
        wanted = {word for mark in item.iter_markers("wants") for word in mark.args}
        (kept if wanted <= CAN else dropped).append(item)
    config.hook.pytest_deselected(items=dropped)
    items[:] = kept


@pytest.fixture
def backend(tmp_path):
    """The program on the launcher's token, with a state folder of its own."""
    return Backend(tmp_path)


@pytest.fixture
def start(tmp_path):
    """start(key, engine=..., ...) starts hold.c with the key; it ends with the test."""
    started = []

    def start(key, **settings):
        started.append(Hold(tmp_path, key, **settings))
        return started[-1]

    start.folder = tmp_path
    yield start
    for process in started:
        process.stop()


@pytest.fixture(params=ENGINES)
def hold(start, request):
    """hold(key, ...) with each engine that can use this token."""
    return functools.partial(start, engine=request.param)


@pytest.fixture(params=ENGINES_THAT_COME_BACK)
def steady_hold(start, request):
    """The same, with those that go on when the far side has died."""
    return functools.partial(start, engine=request.param)
