# SPDX-License-Identifier: Apache-2.0
"""The agent over a card that is pulled out and put back: it says so, goes on by itself, and no try of the PIN is lost."""

import os
import sys
import time

import pytest

import program
import signed

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../agent"))

import agent as agents  # noqa: E402
import attest  # noqa: E402

NOWHERE = "https://127.0.0.1:1"
ASSERTION = "/v1/assertion?profile=main"
SOON_S = 30  # an agent waits a little longer after each failure


class CardAgent(agents.Agent):
    def log(self):
        """The card's serial number begins like its PIN."""
        return super().log().replace(str(attest.SERIAL), "...")


@pytest.fixture
def begin(card, built, tmp_path):
    running = []

    def begin(module):
        grants = {"me": {"profile": "main", "user": str(os.geteuid()), "assertion": "yes"}}
        running.append(CardAgent(program.Program(card, module, tmp_path), tmp_path, grants=grants,
                                    profiles={"main": {"authority": NOWHERE}}, verbose=False))
        return running[-1]
    yield begin
    for one in running:
        one.stop()


def assertion(agent, certificate):
    answer = agent.get(ASSERTION)
    assert answer.status == 200, answer
    signed.read(answer.json["client_assertion"], certificate("9a"))


@pytest.mark.parametrize("module", ("opensc", "ykcs11"))
def test_the_card_is_pulled_out_and_put_back(card, begin, certificate, module):
    agent = begin(module)
    assertion(agent, certificate)
    for _ in range(2):
        card.control.remove()
        answer = agent.get(ASSERTION)
        assert answer.status == 503 and answer.headers["retry-after"] and answer.json["exit_status"] == 4, answer
        card.control.insert()
        deadline = time.monotonic() + SOON_S
        while agent.get(ASSERTION).status != 200:
            assert time.monotonic() < deadline, agent.status()
            time.sleep(0.2)
        assertion(agent, certificate)
    assert card.control.counters()["failed_verifies"] == 0 and card.control.status()["pin_left"] == 3
