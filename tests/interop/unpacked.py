# SPDX-License-Identifier: Apache-2.0
"""Programs and Python modules of the distribution's packages: as install.sh unpacked them, or else as they are installed."""

import os
import shutil

import pytest

import cli

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../build/interop/debian/usr"))
PYTHON = "/usr/bin/python3"  # the packages' modules are for this one
INSTALL = "sh tests/interop/install.sh, which knows how on Debian and Ubuntu"


def _search_path():
    return os.pathsep.join([os.path.join(ROOT, "bin"), os.environ["PATH"]])


def program(name):
    """Its path; the test skips if there is none."""
    found = shutil.which(name, path=_search_path())
    if found is None:
        pytest.skip(f"needs {name}: {INSTALL}")
    return found


def environment(changes=None):
    """What such a program gets."""
    basis = {"PATH": _search_path(), "PYTHONPATH": os.path.join(ROOT, "lib/python3/dist-packages")}
    return cli.environment(basis | (changes or {}))
