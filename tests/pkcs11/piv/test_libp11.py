# SPDX-License-Identifier: Apache-2.0
"""The libp11 engine on a PIV card, through both modules: every key, each engine the other's test; and what the PIN of
each signature costs. What happens to the card meanwhile is in test_recovery.py, which is run with this engine, too.
"""

import os
import subprocess

import pytest

import cli
import signed
from program import ANSWER_S, Held, environment, key_uri, write_pin, write_pins

OPENSC, YKCS11 = "opensc", "ykcs11"
BOTH = pytest.mark.parametrize("module", (OPENSC, YKCS11))
WRONG = "654321"
BACKEND_HOLD = os.environ.get("BACKEND_HOLD", "")


@pytest.fixture
def hold(card, built, tmp_path):
    return lambda module, slot="9a", **options: Held(card, module, tmp_path, slot, engine="libp11", **options)


def shown(card):
    """How often the card was shown a PIN, and how often a wrong one."""
    counters = card.control.counters()
    return counters["verifies"], counters["failed_verifies"]


@BOTH
@pytest.mark.parametrize("slot, alg", [("9a", "RS256"), ("9a", "PS256"), ("9a", "RS512"), ("9a", "PS512"),
                                       ("9c", "RS256"), ("9c", "PS256"), ("9e", "RS256")])
def test_an_rsa_key_signs(card, hold, certificate, module, slot, alg):
    of_each = 1 if slot == "9c" else 0
    with hold(module, slot, settings=[f"alg={alg}"]) as held:
        assert shown(card) == (2, 0)
        for n in range(1, 3):
            header, _ = signed.read(held.sign(), certificate(slot))
            assert header["alg"] == alg
            assert shown(card) == (2 + n * of_each, 0)
            assert card.control.counters()["signatures"] == n


def test_a_curve_signs(card, hold, certificate):
    """OpenSC's module takes 9D for agreement alone."""
    with hold(YKCS11, "9d", settings=["alg=ES256"]) as held:
        assert signed.read(held.sign(), certificate("9d"))


@BOTH
@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512"])
def test_pkcs1_signatures_of_both_engines_are_the_same_bytes(card, tmp_path, module, alg):
    """By the program of ../backend, which signs the same inputs each time."""
    outputs = [
        subprocess.run(
            [BACKEND_HOLD, "--engine", engine, "--module", card.modules[module], "--key", key_uri("9a"), "--alg", alg,
             "--pin-source", write_pin(tmp_path, card.pin), "--state-dir", tmp_path / "state"],
            env=cli.environment(environment(card, module)), input="\n\n", text=True, stdout=subprocess.PIPE, check=True,
            timeout=ANSWER_S).stdout for engine in ("cryptoki", "libp11")]
    assert outputs[0] == outputs[1] and outputs[0].count("ok ") == 2


@BOTH
@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_9c_with_a_wrong_pin_for_a_signature_costs_one_try(card, hold, certificate, module, alg, tmp_path):
    source, _ = write_pins(tmp_path, card.pin, WRONG, card.pin)
    with hold(module, "9c", pin_source=source, settings=["pin-count-low=try", f"alg={alg}"]) as held:
        assert held.fail()[0] == "pin_incorrect"
        assert shown(card) == (3, 1)
        signed.read(held.sign(), certificate("9c"))
    assert shown(card)[1] == 1


@BOTH
def test_9c_takes_the_login_pin_where_that_is_wanted(card, hold, certificate, module, tmp_path):
    source, asked = write_pins(tmp_path, card.pin, WRONG)
    with hold(module, "9c", pin_source=source, settings=["pin-reuse=yes"]) as held:
        signed.read(held.sign(), certificate("9c"))
        signed.read(held.sign(), certificate("9c"))
    assert asked() == 1 and shown(card) == (4, 0)


@BOTH
def test_a_wrong_pin_costs_one_try(card, built, tmp_path, module):
    with pytest.raises(AssertionError, match="error pin_incorrect"):
        Held(card, module, tmp_path, engine="libp11", pin_source=write_pin(tmp_path, WRONG, "wrong"))
    assert shown(card) == (1, 1)
