# SPDX-License-Identifier: Apache-2.0
"""A refused PIN is remembered: by keystay in its state folder, by the token in its flags."""

import concurrent.futures
import os

import pytest

from cli import refused

SECONDS = 10  # about, for parts that take equally long
DEFAULT = {"KEYSTAY_PIN_COUNT_LOW": None}  # what users have: an unattended PIN is not tried after a wrong one


@pytest.fixture
def folder(make_folder):
    """A token of its own: SoftHSM remembers wrong PINs."""
    return make_folder("latch", "--cert-on-token")


@pytest.fixture
def program(at, folder):
    return at(folder)


def wrong(program, digits="0000000", shim="", **more):
    return program.token(pin_source="env:WRONG", env={"WRONG": digits}, shim=shim, **more)


def right(program, **more):
    return program.assertion(shim="", **more)  # the server does not know this key


def state_files(program):
    folder = program.environment()["KEYSTAY_STATE_DIR"]
    return {name: os.path.join(folder, name) for name in os.listdir(folder)}


def test_the_same_wrong_pin_is_sent_once(program):
    refused(wrong(program), 8, "CKR_PIN_INCORRECT")
    result = refused(wrong(program), 8, "refused before", "not sent", hint="pin forget")
    assert result.calls["C_Login"] == 0


def test_another_pin_is_sent_and_a_right_one_forgets(program):
    refused(wrong(program, "0000001"), 8, "CKR_PIN_INCORRECT")
    assert right(program).token
    assert [name for name in state_files(program) if not name.endswith(".lock")] == []
    assert right(program, env=DEFAULT).token


def test_an_unattended_pin_is_not_tried_after_a_wrong_one(program):
    refused(wrong(program), 8, "CKR_PIN_INCORRECT")
    result = refused(right(program, env=DEFAULT), 8, "counted a wrong PIN", "not sent", hint="--pin-count-low try")
    assert result.calls["C_Login"] == 0
    assert right(program, env=DEFAULT, pin_count_low="try").token


def test_one_byte_is_kept_and_nothing_of_the_pin(program):
    refused(wrong(program, "31415926"), 8, "CKR_PIN_INCORRECT")
    (name,) = [name for name in state_files(program) if not name.endswith(".lock")]
    path = state_files(program)[name]
    with open(path, encoding="ascii") as file:
        head, line = file.read().splitlines()
    word, salt, byte = line.split()
    assert (head, word, len(salt), len(byte)) == ("keystay pin latch 1", "rejected", 32, 2)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700


def test_a_try_that_ended_without_a_word_counts_when_the_token_says_so(program):
    """Killed between C_Login and its answer; the token has counted the try."""
    refused(wrong(program, shim="C_Login:sleep=60000", timeout=1), 4, "did not return from C_Login")
    assert right(program).token  # SoftHSM never saw it: its flag is clear
    refused(program.token(shim="C_Login:sleep=60000", timeout=1), 4, "did not return from C_Login")
    result = refused(program.token(shim="flags+=0x10000"), 8, "ended without a word", "not sent")
    assert result.calls["C_Login"] == 0


def test_fifty_at_once_cost_one_try(program):
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        runs = [pool.submit(program.token, pin_source="env:WRONG", env={"WRONG": "5550000"}) for _ in range(50)]
        results = [run.result() for run in runs]
    sent = [result for result in results if "CKR_PIN_INCORRECT" in result.err]
    assert len(sent) == 1
    # SoftHSM may be caught reading its token file while another process writes to it: then no PIN was sent either.
    others = [result for result in results if result not in sent]
    assert all(result.status in (4, 8) and "C_Login" not in result.err for result in others)
    assert sum(result.status == 8 and "not sent" in result.err for result in others) > 25


def test_without_a_place_to_remember_nothing_is_sent(program, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="ascii")
    result = right(program, state_dir=tmp_path / "file" / "state")
    refused(result, 3, "remember a refused PIN", hint="--state-dir")
    assert result.calls["C_Login"] == 0
