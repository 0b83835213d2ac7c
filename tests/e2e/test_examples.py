# SPDX-License-Identifier: Apache-2.0
"""The programs of docs/examples, with a token and a server: they are what a stranger copies."""

import collections
import os
import subprocess

import pytest

import cli
from cli import RESOURCE, SCOPE

TOKEN, THREADS = os.environ.get("EXAMPLE", ""), os.environ.get("EXAMPLE_THREADS", "")
OTHER = "https://other.example/.default"


@pytest.fixture
def run(keystay):
    """Runs one with the settings that a test's profile has, as name=value."""

    def run(program, *words, shim=None, **changes):
        settings = keystay.defaults | {"state_dir": keystay.environment()["KEYSTAY_STATE_DIR"]} | changes
        named = [f"{name.replace('_', '-')}={value}" for name, value in settings.items() if value is not None]
        env = cli.environment(keystay.environment(shim=shim))
        if shim is not None:
            open(env["SHIM_COUNT"], "w", encoding="ascii").close()
        return subprocess.run([program, *words, *named], env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=cli.PATIENCE_S, check=False)

    return run


@pytest.mark.parametrize("program", [TOKEN, THREADS])
def test_it_is_there(program):
    assert os.path.isfile(program), "EXAMPLE and EXAMPLE_THREADS must name the built files; meson test sets them"


def test_a_token(run, server):
    result = run(TOKEN)
    assert (result.returncode, result.stderr) == (0, "") and result.stdout.count(".") == 2
    assert len(server.log()) == 1


def test_threads_share_one_signature_and_one_request_for_each_scope(run, keystay, server):
    """Eight workers, a hundred calls each."""
    result = run(THREADS, SCOPE, "--", shim="", module=cli.SHIM, scope=None)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "800 pieces of work by 8 workers\n"
    assert len(server.log()) == 1
    assert collections.Counter(keystay.module_saw().split())["C_Sign"] == 1


def test_threads_with_two_scopes(run, server):
    """The server takes no assertion twice: the scope that comes second has it signed anew."""
    result = run(THREADS, SCOPE, OTHER, "--", scope=None)
    assert (result.returncode, result.stderr) == (0, "")
    granted = [dict(entry["form"])["scope"] for entry in server.log() if entry["outcome"]["status"] == 200]
    assert sorted(granted) == sorted([SCOPE, OTHER])
    assert len(server.log()) == 3


def test_what_goes_wrong_is_told(run):
    result = run(THREADS, f"{RESOURCE}/User.Read", "--", scope=None)
    assert result.returncode == 3 and "/.default" in result.stderr
    assert run(THREADS, "--").returncode == 2
