# SPDX-License-Identifier: Apache-2.0
"""key generate, key delete: keys made in the token and removed from it. Other tools say what is there."""

import json
import re
import subprocess
import time

import pytest

import cli
from cli import refused
from terminal import Terminal

SETTINGS = ("module", "key", "pin_source")  # of the defaults, those that a token needs
TYPES = {"rsa:2048": ("RSA", 2048), "rsa:3072": ("RSA", 3072), "rsa:4096": ("RSA", 4096),
         "ec:P-256": ("EC", 256), "ec:P-384": ("EC", 384)}


@pytest.fixture
def life(at, make_folder):
    """The program with a token of the test's own, which holds one key: id 01, object 'assertion'."""
    keystay = at(make_folder("life", "--key-type", "ec:P-256"))
    keystay.defaults["key"] = "pkcs11:token=life"
    return keystay


def arguments(keystay, *command, **changes):
    return [*command, *cli._flags({name: keystay.defaults[name] for name in SETTINGS} | changes)]


def run(keystay, *command, shim=None, env=None, **changes):
    if shim is not None:
        changes = {"module": cli.SHIM} | changes
        open(keystay._count_path, "w", encoding="ascii").close()
    result = cli.run(*arguments(keystay, *command, **changes), env=keystay.environment(env, shim))
    keystay._check_secrets(result)
    return result if shim is None else result._replace(calls=keystay._calls())


def generate(keystay, **changes):
    result = run(keystay, "key", "generate", **changes)
    assert result.status == 0 and result.err == "", result
    return result.out.strip()


def keys(keystay):
    """What key list shows, by id."""
    (module,) = json.loads(run(keystay, "key", "list", format="json").out)["modules"]
    (token,) = module["tokens"]
    return {key["id"]: key for key in token["keys"]}


def objects(keystay):
    """The same as OpenSC sees it: of each object its kind, id, usage and access."""
    folder = keystay.folder
    command = ["pkcs11-tool", "--module", folder.module, "--login", "--pin", "env:TEST_PIN", "-O"]
    out = subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                         env=cli.environment({"SOFTHSM2_CONF": folder.conf, "TEST_PIN": folder.pin})).stdout
    out = re.sub(", (sign|verify)Recover", "", out)  # which SoftHSM adds of itself, and OpenSC tells of since 0.24
    blocks = re.split(r"\n(?=\w[\w ]* Object)", "\n" + out)[1:]
    return [(block.split(" Object")[0].strip(), *(re.search(rf"{name}: *(.*)", block)[1] if f"{name}:" in block else ""
                                                  for name in ("ID", "Usage", "Access"))) for block in blocks]


@pytest.mark.parametrize("name", TYPES)
def test_a_key_that_stays(life, name):
    uri = generate(life, type=name, id="20", label="new key")
    assert re.fullmatch(r"pkcs11:token=life;serial=[0-9a-f]+;id=%20", uri)
    key = keys(life)["%20"]
    assert (key["type"], key["bits"], key["label"]) == (*TYPES[name], "new key")
    assert key["claimed_by_token"] == {"sensitive": True, "always_sensitive": True, "extractable": False,
                                       "never_extractable": True, "local": True, "sign": True}
    theirs = {kind: (usage, access) for kind, key_id, usage, access in objects(life) if key_id == "20"}
    assert theirs["Private Key"] == ("sign", "sensitive, always sensitive, never extractable, local")
    assert theirs["Public Key"][0] == "verify"


def test_the_first_free_id_and_no_label(life):
    assert generate(life, type="ec:P-256").endswith(";id=%02")
    assert generate(life, type="ec:P-256").endswith(";id=%03")
    assert keys(life)["%03"]["label"] == ""


def test_its_uri_is_taken_as_it_is_printed(life):
    uri = generate(life, type="ec:P-256", id="%0A%ff", label="x")
    assert run(life, "key", "delete", key=uri, yes=True).out == "2 objects deleted\n"
    assert list(keys(life)) == ["%01"]


@pytest.mark.parametrize("name", [{"id": "01"}, {"label": "assertion"}, {"id": "05", "label": "assertion"}])
def test_a_second_key_of_a_name_is_refused(life, name):
    before = objects(life)
    result = run(life, "key", "generate", shim="", **name)
    refused(result, 3, "a private key with this id or label already", "id=%01 object 'assertion'", hint="--replace")
    assert result.calls["C_GenerateKeyPair"] == 0
    assert objects(life) == before


def test_replace_makes_the_new_one_first(life):
    result = run(life, "key", "generate", shim="", type="ec:P-384", id="01", label="assertion", replace=True)
    assert result.status == 0
    calls = life.module_saw().split()
    assert calls.index("C_GenerateKeyPair") < calls.index("C_DestroyObject")
    assert [(key["bits"], key["id"]) for key in keys(life).values()] == [(384, "%01")]
    assert sorted(kind for kind, *_ in objects(life)) == ["Private Key", "Public Key"]


def test_when_no_new_one_is_made_the_old_one_stays(life):
    before = objects(life)
    result = run(life, "key", "generate", shim="C_GenerateKeyPair=0x31", id="01", replace=True)
    refused(result, 4, "C_GenerateKeyPair failed", "CKR_DEVICE_MEMORY")
    assert result.calls["C_DestroyObject"] == 0 and objects(life) == before


@pytest.mark.parametrize("fault, name", [("CKA_EXTRACTABLE=true", "CKA_EXTRACTABLE"),
                                         ("CKA_SENSITIVE=false", "CKA_SENSITIVE"),
                                         ("0x163=false", "CKA_LOCAL"), ("0x164=false", "CKA_NEVER_EXTRACTABLE"),
                                         ("0x165=missing", "CKA_ALWAYS_SENSITIVE")])
def test_a_key_that_would_not_stay_is_destroyed_again(life, fault, name):
    before = objects(life)
    result = run(life, "key", "generate", shim=fault, type="ec:P-256", id="09")
    refused(result, 3, name, "it was destroyed again", hint="policy")
    assert result.calls["C_DestroyObject"] == 2
    assert objects(life) == before


@pytest.mark.parametrize("code", ["0x12", "0x13", "0xD1"])
def test_a_module_that_will_not_be_told(life, code):
    """SoftHSM then makes the same key of its own accord; what it made is looked at as ever."""
    result = run(life, "key", "generate", shim=f"C_GenerateKeyPair={code}@1", type="ec:P-256", id="09")
    assert result.status == 0 and result.calls["C_GenerateKeyPair"] == 2
    assert keys(life)["%09"]["claimed_by_token"]["never_extractable"] is True


def test_a_token_that_does_not_make_such_keys(life):
    result = run(life, "key", "generate", shim="C_GenerateKeyPair=0x70", type="ec:P-384")
    refused(result, 3, "CKR_MECHANISM_INVALID", hint="--type")


@pytest.mark.parametrize("option, value, word", [
    ("type", "rsa:1024", "rsa:2048"), ("id", "1", "two hexadecimal digits"), ("id", "0x01", "two hexadecimal"),
    ("id", "01" * 33, "1 to 32 bytes"), ("id", "", "1 to 32 bytes"), ("label", "", "1 to 64 bytes"),
    ("label", "a\x1b[2J", "control characters"), ("label", "x" * 65, "1 to 64 bytes"), ("replace", True, "which key")])
def test_what_cannot_be_meant_costs_no_pin(life, option, value, word):
    result = run(life, "key", "generate", shim="", **{option: value})
    refused(result, 2, word)
    assert not result.calls


def test_a_person_is_told_when_it_lasts(life):
    started = time.monotonic()
    with Terminal(arguments(life, "key", "generate", module=cli.SHIM, type="ec:P-256"),
                  life.environment(shim="C_GenerateKeyPair:sleep=1500"), stderr_too=True) as person:
        person.wait_for(lambda: b"making the key" in person.shown)
        assert time.monotonic() - started > 1
        status, out, _ = person.finish()
    assert status == 0 and out.startswith("pkcs11:")


def test_making_a_key_may_take_longer_than_other_calls(life):
    result = run(life, "key", "generate", shim="C_GenerateKeyPair:sleep=1500", type="ec:P-256", timeout=1)
    assert result.status == 0, result


def test_delete_asks_and_takes_only_yes_for_it(life):
    uri = "pkcs11:token=life;id=%01"
    for answer, status, n_left in (("no\n", 130, 2), ("y\n", 130, 2), ("yes\n", 0, 0)):
        with Terminal(arguments(life, "key", "delete", key=uri), life.environment()) as person:
            person.wait_for(lambda: person.shown.endswith(b"Type yes: "))
            assert b"id=%01 'assertion'" in person.shown and b"token 'life'" in person.shown
            person.type(answer)
            assert person.finish()[0] == status
        assert len(objects(life)) == n_left


def test_without_a_terminal_nothing_is_deleted(life):
    refused(run(life, "key", "delete", key="pkcs11:token=life;id=%01"), 2, "no terminal", hint="--yes")
    assert len(objects(life)) == 2


def test_delete_wants_a_name(life):
    result = run(life, "key", "delete", shim="", yes=True)
    refused(result, 3, "must be named", hint="id=%01")
    assert not result.calls
    generate(life, type="ec:P-256", id="07", label="other")
    run(life, "key", "delete", key="pkcs11:object=nosuch", yes=True)
    assert len(keys(life)) == 2


def test_of_two_keys_none_is_deleted(life):
    """As a profile has them while a key is renewed: the first one may be the one in use."""
    generate(life, type="ec:P-256", id="07", label="other")
    words = arguments(life, "key", "delete", key="pkcs11:token=life;id=%01", yes=True)
    result = cli.run(*words, "--key", "pkcs11:token=life;id=%07", env=life.environment())
    refused(result, 3, "2 keys are named", hint="--key URI, once")
    assert len(keys(life)) == 2


@pytest.mark.parametrize("with_certificates, left", [(None, ["Certificate"]), (True, [])])
def test_certificates_go_when_that_is_said(at, make_folder, with_certificates, left):
    keystay = at(make_folder("certs", "--cert-on-token"))
    result = run(keystay, "key", "delete", key="pkcs11:token=certs;id=%01", yes=True, certificates=with_certificates)
    assert result.status == 0, result
    assert [kind for kind, *_ in objects(keystay)] == left


def test_a_stranger_under_the_same_id_stays(life, main_folder):
    """A certificate of another key, under this key's id."""
    life.folder.store_certificate(main_folder.file("cert.pem"), "stranger", "01")
    assert run(life, "key", "delete", key="pkcs11:token=life;id=%01", yes=True, certificates=True).status == 0
    assert [kind for kind, *_ in objects(life)] == ["Certificate"]


def test_a_key_that_cannot_be_deleted(life):
    result = run(life, "key", "delete", shim="C_DestroyObject=0xB5", key="pkcs11:token=life;id=%01", yes=True)
    refused(result, 4, "C_DestroyObject failed", "CKR_SESSION_READ_ONLY")
    assert len(objects(life)) == 2
