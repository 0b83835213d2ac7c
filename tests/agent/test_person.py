# SPDX-License-Identifier: Apache-2.0
"""A person in front of the agent: what is said before a PIN is asked for, and after a wrong one; pinentry; a touch."""

import json
import socket
import threading
import time

import pytest

from agent import caller, steer
from cli import refused
from pinentry import Pinentry
from terminal import Terminal
from test_control import wait_for

SECONDS = 35  # about, for parts that take equally long
PERSON = {"main": {"pin_source": "tty"}}
WINDOW = {"main": {"pin_source": "pinentry"}}
WRONG = "98765432"
COUNT_LOW, FINAL_TRY, LOCKED = 0x10000, 0x20000, 0x40000
UNLOCK = ["agent", "unlock", "main"]
FINAL = ["agent", "unlock", "--pin-final-try", "main"]


def at_terminal(agent, arguments, *typed, env=None):
    """(exit status, stdout, what was shown): each of typed is given to one question."""
    with Terminal(arguments, caller(agent, env), stderr_too=True) as terminal:
        for text in typed:
            terminal.wait_for_question()
            terminal.type(f"{text}\n")
        status, out, _ = terminal.finish()
        return status, out, terminal.shown.decode().replace("\r\n", "\n")


# --- the tries of a PIN ------------------------------------------------------------------------------------------------


def test_after_a_mistyped_pin_a_person_may_try_again_and_knows(start, main_folder):
    """The story: the first try of the day was mistyped, and then no command asked any more."""
    agent = start(profiles=PERSON, shim="")
    status, out, shown = at_terminal(agent, ["token", "main"], WRONG)
    assert (status, out) == (8, "") and "Careful" not in shown
    assert "CKR_PIN_INCORRECT" in shown and "has counted a wrong PIN, and does not say how many more lock it" in shown
    assert agent.profile()["state"] == "pin wrong"
    assert agent.profile()["pin"] == {"was_refused": True, "count_low": True, "final_try": False}
    text = steer(agent, "status").out
    assert "  PIN: the last PIN was wrong, and the token does not say how many more lock it\n" in text, text
    status, out, shown = at_terminal(agent, ["token", "main"], main_folder.pin)
    assert shown.startswith("Careful: the last PIN was wrong, and the token does not say how many more lock it.\n"
                            "PIN for profile main "), shown
    assert status == 0 and out[:-1] == agent.token()
    assert agent.calls().count("C_Login") == 2
    assert "pin" not in agent.profile() and "PIN:" not in steer(agent, "status").out


def test_the_same_wrong_pin_is_not_sent_twice(start):
    agent = start(profiles=PERSON, shim="")
    for words in ("CKR_PIN_INCORRECT", "refused before; it was not sent again"):
        status, out, shown = at_terminal(agent, UNLOCK, WRONG)
        assert (status, out) == (8, "") and words in shown, shown
    assert agent.calls().count("C_Login") == 1


def test_what_the_token_counts_is_said_at_the_first_question(start, main_folder):
    agent = start(profiles=PERSON, shim=f"flags+={COUNT_LOW:#x}")
    status, _, shown = at_terminal(agent, UNLOCK, main_folder.pin)
    assert shown.startswith("Careful: the token has counted a wrong PIN, and does not say how many more lock it.\nPIN for")
    assert status == 0 and agent.profile()["state"] == "ready"


@pytest.mark.parametrize("arguments", [UNLOCK, ["token", "main"]], ids=["unlock", "token"])
def test_the_last_try_is_not_asked_for(start, arguments):
    agent = start(profiles=PERSON, shim=f"flags+={FINAL_TRY:#x}")
    status, out, shown = at_terminal(agent, arguments)
    assert (status, out) == (8, "") and "one more wrong PIN locks it; the PIN was not sent" in shown, shown
    assert "keystay agent unlock --pin-final-try main" in shown and "PIN for" not in shown
    assert "C_Login" not in agent.calls()
    assert agent.profile()["pin"]["final_try"] and "PIN: one more wrong PIN locks the token" in steer(agent, "status").out


def test_the_last_try_is_the_persons_to_allow(start, main_folder):
    agent = start(profiles=PERSON, shim=f"flags+={FINAL_TRY:#x}")
    status, _, shown = at_terminal(agent, FINAL, main_folder.pin)
    assert shown.startswith("Careful: one more wrong PIN locks the token.\nPIN for") and status == 0, shown
    assert agent.profile()["state"] == "ready" and agent.token()


def test_the_last_try_by_a_source(start, main_folder):
    agent = start(profiles=PERSON, shim=f"flags+={FINAL_TRY:#x}")
    source = ("unlock", "main", "--pin-source", main_folder.pin_source)
    refused(steer(agent, *source), 8, "one more wrong PIN locks it")
    assert "C_Login" not in agent.calls()
    assert steer(agent, *source, "--pin-final-try").status == 0 and agent.token()


@pytest.mark.parametrize("arguments", [UNLOCK, FINAL, ["token", "main"]], ids=["unlock", "last try", "token"])
def test_a_locked_pin_is_said_and_not_asked_for(start, arguments):
    agent = start(profiles=PERSON, shim=f"flags+={LOCKED:#x}")
    for _ in range(2):  # as unlocked first, then as what is known to be locked
        status, out, shown = at_terminal(agent, arguments)
        assert (status, out) == (8, "") and "the PIN is locked after too many wrong ones" in shown, shown
        assert "PUK" in shown and "PIN for" not in shown
    assert "C_Login" not in agent.calls()
    assert agent.profile()["state"] == "pin wrong" and "is locked after too many" in agent.profile()["error"]


def test_a_pin_that_locks_the_token_is_said_as_such(start):
    agent = start(profiles=PERSON, shim="C_Login=0xA4")
    status, _, shown = at_terminal(agent, UNLOCK, WRONG)
    assert status == 8 and "CKR_PIN_LOCKED" in shown and "PUK" in shown, shown


def test_a_token_that_is_away_is_said_before_the_question(start):
    agent = start(profiles={"main": {"pin_source": "tty", "key": "pkcs11:token=elsewhere;object=assertion"}})
    status, out, shown = at_terminal(agent, UNLOCK)
    assert (status, out) == (4, "") and "no token fits the key URI" in shown and "PIN for" not in shown, shown
    assert agent.profile()["state"] == "locked"


def test_looking_is_for_who_may_steer(start):
    agent = start(profiles=PERSON)
    assert agent.post("/v1/pin?profile=main").json == {"was_refused": False, "count_low": False, "final_try": False}
    assert agent.post("/v1/pin").status == 400
    assert agent.post("/v1/pin?profile=nowhere").status == 400
    assert agent.get("/v1/pin?profile=main").status == 405
    assert agent.children() == []  # it looks, and leaves nothing behind


# --- pinentry ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def person(tmp_path):
    return Pinentry(tmp_path)


@pytest.fixture
def windowed(start, person):
    def begin(**options):
        return start(**({"profiles": WINDOW, "env": person.environment(), "shim": ""} | options))
    return begin


def test_a_request_asks_through_pinentry(windowed, person, main_folder):
    agent = windowed()
    assert agent.profile()["state"] == "idle" and not agent.profile()["asks_a_person"]
    person.will(main_folder.pin)
    assert agent.token() == agent.token()
    assert len(person.questions) == 1
    assert person.questions[0].startswith("keystay wants to use token 'main' (serial ")
    assert "touch it" in person.questions[0] and "Careful" not in person.questions[0]
    agent.post("/v1/forget")
    assert agent.token() and len(person.questions) == 1
    assert agent.post("/v1/reload").status == 200  # what a person has opened stays open
    agent.post("/v1/forget")
    assert agent.token() and len(person.questions) == 1 and agent.calls().count("C_Login") == 1


def test_a_wrong_pin_is_asked_for_again_with_a_word(windowed, person, main_folder):
    agent = windowed()
    person.will(WRONG, WRONG, main_folder.pin)
    assert agent.token()
    first, *others = person.questions
    assert "Careful" not in first and len(others) == 2
    assert all("Careful: the last PIN was wrong, and the token does not say how many more lock it." in one
               for one in others), others
    assert agent.calls().count("C_Login") == 2  # the same one is not sent twice


def test_a_pin_is_asked_for_three_times_in_a_row_at_most(windowed, person, main_folder):
    agent = windowed()
    person.will("11111111", "22222222", "33333333", "44444444")
    answer = agent.get("/v1/token?profile=main")
    assert answer.status == 403 and answer.json["status"] == "pin_incorrect", answer
    assert agent.get("/v1/token?profile=main").status == 403
    assert len(person.questions) == 3 and agent.profile()["state"] == "pin wrong"
    person.will(main_folder.pin, main_folder.pin, main_folder.pin)  # the first is enough, or the last is said to be wrong
    assert steer(agent, "unlock", "main").status == 0 and len(person.questions) == 4
    assert agent.token()


def test_who_cancels_is_left_alone(windowed, person, main_folder):
    agent = windowed()
    person.will("cancel")
    for words in ("was cancelled", "is locked", "is locked"):
        answer = agent.get("/v1/token?profile=main")
        assert answer.status == 400 and words in answer.json["message"], answer
        assert answer.json["hint"] == "keystay agent unlock main"
        time.sleep(1.1)  # longer than the pause after a failure
    assert len(person.questions) == 1 and "C_Login" not in agent.calls()
    assert agent.profile()["state"] == "locked"
    person.will(main_folder.pin)
    assert steer(agent, "unlock", "main").status == 0
    assert agent.token() and len(person.questions) == 2


def test_the_last_try_opens_no_window(windowed, person, main_folder):
    agent = windowed(shim=f"flags+={FINAL_TRY:#x}")
    person.will(main_folder.pin)
    answer = agent.get("/v1/token?profile=main")
    assert answer.status == 403 and "one more wrong PIN locks it" in answer.json["message"], answer
    assert person.questions == []
    assert steer(agent, "unlock", "main", "--pin-final-try").status == 0
    assert "Careful: one more wrong PIN locks the token." in person.questions[0] and agent.token()


def test_while_a_person_is_asked_others_go_on(windowed, person, main_folder):
    agent = windowed(profiles={"main": {"pin_source": "pinentry"}, "other": {}}, agent={"request_timeout": 6})
    person.will(f"wait{main_folder.pin}")
    began = time.monotonic()
    answers = []
    asking = [threading.Thread(target=lambda: answers.append(agent.get("/v1/token?profile=main"))) for _ in range(20)]
    for one in asking:
        one.start()
    wait_for(lambda: person.questions)
    assert agent.token("other") and agent.status()
    assert answers == []
    for one in asking:
        one.join(60)
    assert 5.5 < time.monotonic() - began < 20
    assert [answer.status for answer in answers] == [504] * 20 and "retry-after" in answers[0].headers
    assert agent.token("other") and len(person.questions) == 1
    person.goes_on()
    wait_for(lambda: agent.profile()["state"] == "ready")
    assert agent.token() and len(person.questions) == 1 and agent.calls().count("C_Login") == 2


def test_nobody_there(windowed, person):
    agent = windowed(profiles={"main": {"pin_source": "pinentry", "interaction_timeout": "1"}})
    person.will("wait")
    answer = agent.get("/v1/token?profile=main")
    assert answer.status == 400 and "nobody gave the PIN to pinentry in time" in answer.json["message"], answer
    assert agent.get("/v1/token?profile=main").status == 400
    assert len(person.questions) == 1 and agent.profile()["state"] == "failing"


def test_what_a_window_has_opened_is_locked_by_itself_and_asks_again(windowed, person, main_folder):
    agent = windowed(agent={"lock_after": 4})
    person.will(main_folder.pin, main_folder.pin)
    agent.token()
    wait_for(lambda: agent.profile()["state"] == "idle")
    assert "profile main is locked: nobody asked for a token (lock_after)" in agent.log() and len(person.questions) == 1
    agent.post("/v1/forget")
    assert agent.token() and len(person.questions) == 2


def test_who_takes_long_to_give_a_pin_finds_it_open(windowed, person, main_folder):
    agent = windowed(agent={"lock_after": 5})
    person.will(f"wait{main_folder.pin}")
    asking = threading.Thread(target=agent.token)
    asking.start()
    wait_for(lambda: person.questions)
    time.sleep(6)
    person.goes_on()
    asking.join(60)
    time.sleep(1.5)  # the agent looks once a second
    assert agent.profile()["state"] == "ready" and len(person.questions) == 1


# --- a touch -------------------------------------------------------------------------------------------------------------


def test_a_signature_that_waits_for_a_touch_is_seen(start):
    agent = start(shim="C_Sign:sleep=3000")
    asking = threading.Thread(target=agent.token)
    asking.start()
    wait_for(lambda: agent.profile()["slow_signatures"] == 1)
    assert "  a signature takes its time: does the token wait for a touch?\n" in steer(agent, "status").out
    assert "profile main: C_Sign takes its time: does the token wait for a touch?" in agent.log()
    asking.join(60)
    assert agent.profile()["slow_signatures"] == 0 and "touch" not in steer(agent, "status").out
    assert json.loads(steer(agent, "status", "--format", "json").out)["profiles"][0]["slow_signatures"] == 0


def test_who_waits_at_a_terminal_is_told_of_a_touch(start):
    agent = start(shim="C_Sign:sleep=3000")
    with Terminal(["token", "main"], caller(agent), stderr_too=True) as terminal:
        terminal.wait_for(lambda: b"if the key waits for a touch, touch it now" in terminal.shown)
        status, out, _ = terminal.finish()
    assert status == 0 and out[:-1] == agent.token() and terminal.shown.count(b"touch it now") == 1
    quick = Terminal(["token", "main"], caller(agent), stderr_too=True)
    with quick as terminal:
        assert terminal.finish()[0] == 0 and terminal.shown == b""


class HangsAfterwards:
    """An agent that answers for a token, once it was asked how it is, and answers nothing else."""

    def __init__(self, path):
        self.path, self._was_asked, self._held = str(path), threading.Event(), []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            connection = self._listener.accept()[0]
            self._held.append(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        if b"GET /v1/token" not in connection.recv(4096):
            self._was_asked.set()
        elif self._was_asked.wait(30):
            body = json.dumps({"access_token": "abc", "token_type": "Bearer", "expires_on": int(time.time()) + 3600})
            connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())


def test_an_agent_that_hangs_after_its_answer_holds_nothing_up(tmp_path):
    """The story: the command had its token, and waited for an hour for an answer that was good for nothing any more."""
    agent = HangsAfterwards(tmp_path / "agent.sock")
    (tmp_path / "keystay.conf").write_text("")
    env = {"KEYSTAY_CONFIG": str(tmp_path / "keystay.conf"), "KEYSTAY_AGENT_SOCKET": agent.path}
    with Terminal(["token", "main"], env, stderr_too=True) as terminal:
        assert terminal.finish()[:2] == (0, "abc\n") and terminal.shown == b""
