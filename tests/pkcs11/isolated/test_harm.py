# SPDX-License-Identifier: Apache-2.0
"""A module that does its worst, at each step from loading it to the signature."""

import os
import signal
import threading
import time

import pytest
from isolated import children_of, sanitizer_options, until

OPENING = ("dlopen", "C_GetFunctionList", "C_Initialize", "C_GetSlotList", "C_GetTokenInfo", "C_OpenSession", "C_Login",
           "C_FindObjectsInit", "C_FindObjects", "C_FindObjectsFinal", "C_GetAttributeValue", "C_GetMechanismList")
SIGNING = ("C_SignInit", "C_Sign")
AFTER_THE_PIN = OPENING[OPENING.index("C_Login"):]
ENDS = ("exit", "abort", "crash", "vanish", "close")
SHORT_S, BOUND_S = 1, 19  # seconds; a call that hangs has 20 where no other time is said


def test_the_calls_of_an_opening_and_a_signature_are_these(isolated):
    process = isolated.start()
    opening = set(isolated.calls()) | {"dlopen"}  # which is no call of the module
    assert opening == set(OPENING)
    isolated.assert_signed(process.sign())
    assert set(isolated.calls()) - opening == set(SIGNING)


@pytest.mark.parametrize("call", OPENING)
def test_a_call_that_does_not_return_is_named_at_the_deadline(isolated, call):
    started = time.monotonic()
    answer = isolated.refusal(f"{call}:hang", once=True, timeout=SHORT_S)
    assert answer.status == "module_timeout" and f"did not return from {call} within 1 s" in answer.message
    assert time.monotonic() - started < BOUND_S
    isolated.assert_signed(isolated.start(f"{call}:hang", once=True).sign())


@pytest.mark.parametrize("call", SIGNING)
def test_the_signature_after_one_that_hung_is_made(isolated, call):
    process = isolated.start(f"{call}:hang", once=True, timeout=SHORT_S)
    before = isolated.signer_of(process)
    started = time.monotonic()
    answer = process.sign()
    assert answer.status == "module_timeout" and f"did not return from {call} within 1 s" in answer.message
    assert SHORT_S <= time.monotonic() - started < BOUND_S
    isolated.assert_signed(process.sign(), 2)
    assert isolated.signer_of(process) != before


@pytest.mark.parametrize("call", SIGNING)
def test_a_call_that_always_hangs_is_an_error_each_time(isolated, call):
    process = isolated.start(f"{call}:hang", timeout=SHORT_S)
    assert [process.sign().status for _ in range(2)] == ["module_timeout", "module_timeout"]


@pytest.mark.parametrize("call", SIGNING)
@pytest.mark.parametrize("end", ENDS)
def test_a_process_that_ends_in_a_signature_is_replaced_within_it(isolated, end, call):
    process = isolated.start(f"{call}:{end}", once=True)
    isolated.assert_signed(process.sign(), 1)
    assert isolated.has_harmed() and isolated.calls()["C_Login"] == 2
    assert f"the process of module '{os.environ['SHIM']}' ended" in process.log()
    isolated.assert_signed(process.sign(), 2)
    assert isolated.calls()["C_Login"] == 2


@pytest.mark.parametrize("end, how", (("exit", "status 3"), ("abort", "signal 6"), ("crash", "signal 11"),
                                      ("vanish", "signal 9"), ("close", "status 0")))
def test_a_process_that_ends_each_time_is_one_error_that_says_how(isolated, end, how):
    process = isolated.start(f"C_Sign:{end}", env=sanitizer_options("detect_leaks=0"))  # exit() would look for them
    answer = process.sign()
    assert answer.status == "module" and f"ended ({how})" in answer.message, answer
    assert ("in C_Sign" in answer.message) == (end in ("exit", "abort", "crash")), answer  # there is a last word
    assert process.sign().status == "module"


@pytest.mark.parametrize("call", OPENING)
@pytest.mark.parametrize("end", ("exit", "crash", "vanish"))
def test_a_process_that_ends_while_it_is_opened(isolated, end, call):
    """Before the PIN was given away another one does it; after that, whoever asks next."""
    if call in AFTER_THE_PIN:
        answer = isolated.refusal(f"{call}:{end}", once=True)
        assert answer.status == "module" and "ended" in answer.message, answer
    isolated.assert_signed(isolated.start(f"{call}:{end}", once=True).sign())
    assert isolated.has_harmed()


@pytest.mark.parametrize("call", OPENING)
def test_one_that_is_killed_while_it_is_opened(isolated, call):
    """From outside, in each call."""
    answers = []
    if call in AFTER_THE_PIN:
        opening = threading.Thread(target=lambda: answers.append(isolated.refusal(f"{call}:hang", once=True)))
    else:
        opening = threading.Thread(target=lambda: answers.append(isolated.start(f"{call}:hang", once=True).sign()))
    opening.start()
    until(isolated.has_harmed)
    found = until(lambda: [pid for program in children_of(os.getpid(), "hold") for pid in children_of(program)])
    os.kill(found[0], signal.SIGKILL)
    opening.join()
    if call in AFTER_THE_PIN:
        assert answers[0].status == "module" and "ended (signal 9)" in answers[0].message, answers
        answers.append(isolated.start(f"{call}:hang", once=True).sign())
    isolated.assert_signed(answers[-1])


def test_what_it_prints_is_not_on_our_stdout(isolated):
    process = isolated.start("C_Sign:print")
    isolated.assert_signed(process.sign(), 1)  # the very next line of stdout is the answer
    isolated.assert_signed(process.sign(), 2)
    assert process.log().count("shim: a word on stdout") == 2


def test_a_child_that_it_leaves_behind_holds_nobody_up(isolated):
    process = isolated.start("C_Sign:fork")
    isolated.assert_signed(process.sign(), 1)
    signer = isolated.signer_of(process)
    left = until(lambda: children_of(signer))
    isolated.kill_signer(process)
    started = time.monotonic()
    isolated.assert_signed(process.sign(), 2)  # the end of the one is seen although the other lives
    assert time.monotonic() - started < BOUND_S / 2
    for pid in left:
        os.kill(pid, signal.SIGKILL)
