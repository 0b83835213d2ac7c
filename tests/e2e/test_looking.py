# SPDX-License-Identifier: Apache-2.0
"""key list, key show, doctor, pin forget: what is there, what is wrong, and the way out."""

import json

import pytest

import cli
from cli import refused

SETTINGS = ("module", "key", "pin_source")  # of the defaults, those that a look at the token needs


def look(keystay, *command, env=None, **changes):
    options = {name: keystay.defaults[name] for name in SETTINGS} | changes
    arguments = [*command, *cli._flags(options)]
    result = cli.run(*arguments, env=keystay.environment(env))
    keystay._check_secrets(result)
    return result


def listed(keystay, command="list", **changes):
    result = look(keystay, "key", command, format="json", **changes)
    assert result.status == 0, result
    return json.loads(result.out)["modules"]


def test_a_key_with_its_certificate(keystay):
    (module,) = listed(keystay)
    (token,) = module["tokens"]
    (key,) = token["keys"]
    assert (token["label"], token["logged_in"], key["id"], key["bits"]) == ("main", True, "%01", 2048)
    assert key["claimed_by_token"] == {"sensitive": True, "always_sensitive": True, "extractable": False,
                                       "never_extractable": True, "local": True, "sign": True}
    assert key["proven_by_attestation"] == {"verdict": "none"}
    assert {"RS256", "PS256"} <= set(key["algorithms"])
    assert key["certificate"]["subject"] == "CN=keystay fixture"


@pytest.mark.parametrize("curve, bits, algorithms", [("P-256", 256, {"ES256"}), ("P-384", 384, {"ES384"}),
                                                    ("P-521", 521, set())])
def test_a_curve_is_known_without_a_certificate(at, make_folder, curve, bits, algorithms):
    (module,) = listed(at(make_folder(f"bare-{curve}", "--key-type", f"ec:{curve}")))
    ((key,),) = [token["keys"] for token in module["tokens"]]
    assert "certificate" not in key
    assert (key["type"], key["bits"], set(key["algorithms"])) == ("EC", bits, algorithms)


def test_nothing_is_sent_unless_a_source_is_given(at, main_folder):
    keystay = at(main_folder)
    result = look(keystay, "key", "list", pin_source=None, module=cli.SHIM,
                  env={"SHIM_MODULE": main_folder.module, "SHIM_COUNT": keystay._count_path, "SHIM_FAULT": ""})
    assert result.status == 0 and "token 'main'" in result.out and "--pin-source" in result.out
    assert "C_Login" not in keystay.module_saw().split()


def test_one_pin_is_not_sent_to_two_tokens(at, twins_folder):
    result = look(at(twins_folder), "key", "list", key="pkcs11:")
    refused(result, 3, "a PIN is for one", hint="serial")


def test_text_names_what_a_uri_needs(keystay):
    out = look(keystay, "key", "show").out
    for word in ("token 'main'", "key id=%01 object 'assertion'", "claimed by the token: stays in the token, generated",
                 "proven by attestation: nothing, the token shows no", "RS256", "sensitive yes"):
        assert word in out


def test_a_module_by_its_name_in_the_registry(at, main_folder):
    """Debian's SoftHSM registers itself; where it does not, the error lists what there is."""
    result = look(at(main_folder), "key", "list", module="softhsm2")
    assert result.status == 0 and "token 'main'" in result.out, result
    refused(look(at(main_folder), "key", "list", module="nosuch"), 3, "softhsm2")


def test_without_a_module_the_registry_is_looked_through(keystay):
    assert keystay.token(module=None, key="pkcs11:token=main;object=assertion").token
    result = keystay.token(module=None, key="pkcs11:token=nobody-has-this")
    assert (result.status, result.out) == (4, "") and "none of the system's" in result.err  # other modules may talk


def test_doctor_finds_nothing_wrong(keystay):
    result = look(keystay, "doctor", tenant=cli.TENANT, client_id=cli.CLIENT, offline=True)
    assert result.status == 0, result
    assert "\nfail " not in result.out and "it signed an assertion" in result.out


def test_doctor_says_what_is_wrong(keystay):
    for changes, status, word in (
            ({"key": "pkcs11:token=nobody"}, 4, "no initialised token"),
            ({"key": "pkcs11:token=main;id=%77"}, 3, "no such private key"),
            ({"certificate": "/dev/null"}, 3, "certificate"),
            ({"module": "/nonexistent/module.so"}, 3, "no module at")):
        result = look(keystay, "doctor", **changes)
        assert result.status == status and word in result.out + result.err, (changes, result)


def test_doctor_without_a_pin_sends_none(at, main_folder):
    keystay = at(main_folder)
    result = look(keystay, "doctor", pin_source=None, module=cli.SHIM,
                  env={"SHIM_MODULE": main_folder.module, "SHIM_COUNT": keystay._count_path, "SHIM_FAULT": ""})
    assert result.status == 0 and "without a PIN" in result.out
    assert "C_Login" not in keystay.module_saw().split()


def test_pin_forget(at, make_folder):
    keystay = at(make_folder("forget", "--cert-on-token"))
    wrong = {"pin_source": "env:WRONG", "env": {"WRONG": "1112223"}}
    refused(keystay.assertion(**wrong), 8, "CKR_PIN_INCORRECT")
    refused(keystay.assertion(**wrong), 8, "refused before")
    assert "is forgotten" in look(keystay, "pin", "forget").out
    refused(keystay.assertion(**wrong), 8, "CKR_PIN_INCORRECT")
    assert look(keystay, "pin", "forget").status == 0
    assert "no refused PIN" in look(keystay, "pin", "forget").out


def test_half_a_command():
    refused(cli.run("key"), 2, "second word: list, show, generate, import, delete")
    refused(cli.run("key", "lsit"), 2, "second word", hint="did you mean: keystay key list?")
    refused(cli.run("pin", "remember"), 2, "second word: forget")
