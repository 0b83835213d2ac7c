# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the agent's tests: those of the end-to-end tests, and agents over them."""

import importlib.util
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for neighbour in ("../server", "../e2e"):
    sys.path.append(os.path.join(HERE, neighbour))

# Tokens, server and program are made by the fixtures there.
_spec = importlib.util.spec_from_file_location("e2e_fixtures", os.path.join(HERE, "../e2e/conftest.py"))
_e2e = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_e2e)
globals().update({name: value for name, value in vars(_e2e).items() if not name.startswith("_")})

import agent  # noqa: E402


def pytest_sessionstart():
    for name in ("KEYSTAY", "AGENT", "SIGNER", "SHIM"):
        if not os.path.isfile(os.environ.get(name, "")):
            raise pytest.UsageError(f"{name} must name the built file; meson test --suite agent --suite memory sets it")


@pytest.fixture
def start(at, main_folder, tmp_path):
    """start(profiles=..., agent=..., grants=...): a running agent, ended and checked after the test."""
    running = []

    def begin(folder=main_folder, **options):
        place = tmp_path / f"agent-{len(running)}"
        place.mkdir()
        running.append(agent.Agent(at(folder), place, **options))
        return running[-1]
    yield begin
    for one in running:
        one.stop()
