# SPDX-License-Identifier: Apache-2.0
"""A module that does not come back: the call is named, in time, and nothing that was won is lost."""

import json

import pytest

import signed
from cli import refused

TIMEOUT_S = 1
SPARE_S = 30  # to start, to be scheduled on a busy machine: the module hangs for twice that


def hanging(call):
    return {"shim": f"{call}:sleep=60000", "timeout": TIMEOUT_S}


def in_time(result):
    assert TIMEOUT_S <= result.seconds < TIMEOUT_S + SPARE_S, result
    return result


@pytest.mark.parametrize("call", ["dlopen", "C_Initialize", "C_Login", "C_Sign"])
def test_the_call_is_named(keystay, server, call):
    result = in_time(keystay.token(**hanging(call)))
    refused(result, 4, "did not return from", call, "within 1 s", "shim.so", hint="--timeout")
    assert server.log() == []


def test_it_is_told_in_json_too(keystay):
    result = in_time(keystay.token(**hanging("C_GetSlotList"), extra=["--error-format", "json"]))
    error = json.loads(result.err)
    assert (result.status, result.out) == (4, "")
    assert (error["status"], error["exit_status"]) == ("module_timeout", 4)
    assert "C_GetSlotList" in error["message"]


def test_a_hang_after_the_work_is_done_costs_nothing_but_time(keystay, server):
    result = in_time(keystay.token(**hanging("C_Finalize")))
    assert result.status == 0 and result.token
    assert "C_Finalize" in result.err
    assert len(server.log()) == 1


def test_a_hang_after_an_assertion(keystay, main_folder):
    result = in_time(keystay.assertion(**hanging("C_Finalize")))
    signed.read(result.token, main_folder.certificate())


def test_a_hang_does_not_hide_a_wrong_pin(keystay, main_folder):
    """Who hears of a time-out only would try again, and lose another try."""
    source = f"file:{main_folder.write('wrong-pin', '98765432')}"
    result = in_time(keystay.token(**hanging("C_Finalize"), pin_source=source))
    refused(result, 8, "CKR_PIN_INCORRECT")


def test_a_hang_does_not_hide_what_the_server_said(keystay, server):
    server.script([{"status": 404}])
    refused(in_time(keystay.token(**hanging("C_Finalize"))), 6, "HTTP 404")


def test_a_call_that_is_slow_but_returns_is_waited_for(keystay):
    result = keystay.token(shim="C_Sign:sleep=1200", timeout=20)
    assert result.status == 0 and result.seconds >= 1.2


def test_each_call_has_the_whole_time(keystay):
    faults = "C_Initialize:sleep=1700 C_Login:sleep=1700 C_Sign:sleep=1700"
    assert keystay.token(shim=faults, timeout=4).status == 0
