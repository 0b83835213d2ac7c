# SPDX-License-Identifier: Apache-2.0
"""A card's key from the day when it is made to the renewal, through both modules.

What changes the card wants its management key, which keystay never asks for: there it must say which tool does it, and
that tool does it here. All else is keystay's.
"""

import json
import re

import cli
import program
import pytest
import signed
from cli import refused
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from harness import AuthServer
from test_keystay import BOTH, OPENSC, YKCS11, certified, piv_tool

TOKEN = ("module", "pin_source", "state_dir")
IDS = {OPENSC: {"87": "%10", "95": "%24"}, YKCS11: {"87": "%0A", "95": "%18"}}

# Without it OpenSC looks into none of the slots from 82 on (SP 800-73-4 part 1, table 19).
KEY_HISTORY, TWENTY_RETIRED = "0x5fc10c", b"c10114c20100fe00"


def run(keystay, *words, key="pkcs11:", **changes):
    result = cli.run(*words, *cli._flags({name: keystay.defaults[name] for name in TOKEN} | {"key": key} | changes),
                     env=keystay.environment())
    keystay._check_secrets(result)
    return result


def out(*arguments, **changes):
    result = run(*arguments, **changes)
    assert result.status == 0, result
    return result.out


def shown(keystay):
    (module,) = json.loads(out(keystay, "key", "list", format="json"))["modules"]
    (token,) = module["tokens"]
    return {key.get("piv_slot"): key["id"] for key in token["keys"]}


def store(card, slot, certificate):
    piv_tool(card, "-a", "import-certificate", "-s", slot, stdin=certificate)


def make(card, slot, kind):
    """A key and its first certificate, without which OpenSC shows no key."""
    public = load_pem_public_key(piv_tool(card, "-a", "generate", "-s", slot, "-A", kind))
    store(card, slot, certified(public).public_bytes(Encoding.PEM))
    return f"pkcs11:piv-slot={slot}", public


def certify_itself(card, keystay, slot, alg):
    """Made with keystay, put onto the card with the card's tool, read with keystay."""
    uri = f"pkcs11:piv-slot={slot}"
    pem = out(keystay, "cert", "create", key=uri, subject="CN=itself", days=30, alg=alg)
    store(card, slot, pem.encode("ascii"))
    certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
    for form in ("pem", "key-credential", "thumbprint"):
        text = out(keystay, "cert", "export", key=uri, format=form)
        assert form != "pem" or x509.load_pem_x509_certificate(text.encode("ascii")) == certificate
        assert form != "thumbprint" or signed.sha256(certificate) in text
    return certificate


@BOTH
@pytest.mark.parametrize("kind, alg", [("RSA2048", "RS256"), ("ECCP256", "ES256")])
def test_a_whole_life(card, keystay, module, tmp_path, kind, alg):
    keystay = keystay(module)
    old, public = make(card, "9a", kind)
    request = x509.load_pem_x509_csr(
        out(keystay, "cert", "request", key=old, subject="CN=asked", alg=alg).encode("ascii"))
    assert request.is_signature_valid and request.public_key().public_numbers() == public.public_numbers()
    first = certify_itself(card, keystay, "9a", alg)

    new, _ = make(card, "9d" if module == YKCS11 else "9c", kind)
    second = certify_itself(card, keystay, new.rpartition("=")[2], alg)
    for uri, certificate in ((old, first), (new, second)):
        token = keystay.assertion(key=uri, alg=alg, require="generated-on-token").token
        assert signed.read(token, certificate)[0]["x5t#S256"] == signed.sha256(certificate)
    if alg == "RS256":  # the server is as Entra ID is
        paths = [tmp_path / "first.pem", tmp_path / "second.pem"]
        for path, certificate in zip(paths, (first, second)):
            path.write_bytes(certificate.public_bytes(Encoding.PEM))
        with AuthServer(tmp_path, [f"{cli.TENANT}={cli.DOMAIN}"], {cli.CLIENT: paths}) as server:
            for uri in (old, new):
                keystay.token(key=uri, alg=alg, authority=server.url, cacert=server.cacert, tenant=cli.TENANT,
                              scope=cli.SCOPE, cache="none")
            assert [entry["outcome"]["status"] for entry in server.log()] == [200, 200]


@BOTH
def test_what_changes_the_card_names_the_cards_tool(card, keystay, module, tmp_path):
    keystay, before = keystay(module), shown(keystay(module))
    tries = card.control.status()["pin_left"]
    for changes in ({}, {"id": "01", "replace": True}, {"id": "05", "type": "ec:P-256"}):
        refused(run(keystay, "key", "generate", **changes), 4, "C_GenerateKeyPair failed",
                hint="ykman piv keys generate 9a")
    refused(run(keystay, "key", "delete", key="pkcs11:piv-slot=9a", yes=True), 4, "C_DestroyObject failed",
            hint="ykman piv keys delete 9a")
    refused(run(keystay, "cert", "create", key="pkcs11:piv-slot=9a", subject="CN=a", store=True), 4,
            "C_CreateObject failed", hint="ykman piv certificates import 9a")
    path = tmp_path / "cert.pem"
    path.write_bytes(card.certificate_pem("9a"))
    refused(run(keystay, "cert", "import", key="pkcs11:piv-slot=9a", **{"in": path}), 4, "C_CreateObject failed",
            hint="ykman piv certificates import 9a")
    assert shown(keystay) == before and card.control.status()["pin_left"] == tries


@BOTH
@pytest.mark.parametrize("slot", ["87", "95"])
def test_a_slot_by_its_name(card, keystay, module, slot):
    """Where the modules' ids differ: the name means the same key."""
    keystay = keystay(module)
    piv_tool(card, "-a", "write-object", "--id", KEY_HISTORY, "-f", "hex", stdin=TWENTY_RETIRED)
    make(card, slot, "ECCP256")
    key_id = IDS[module][slot]
    assert shown(keystay).items() >= {"9a": "%01", "9c": "%02", "9d": "%03", "9e": "%04", slot: key_id}.items()
    for command in ("list", "show"):
        assert re.search(rf"  key id={key_id} object '.*'  EC 256  slot {slot}\n", out(keystay, "key", command))
    stored = x509.load_pem_x509_certificate(
        out(keystay, "cert", "export", key=f"pkcs11:piv-slot={slot}").encode("ascii"))
    assert stored.fingerprint(hashes.SHA256()) == x509.load_pem_x509_certificate(
        piv_tool(card, "-a", "read-certificate", "-s", slot)).fingerprint(hashes.SHA256())


@BOTH
def test_an_empty_slot(card, keystay, module):
    refused(keystay(module).assertion(key="pkcs11:piv-slot=8c"), 3, "no such private key; there:", "id=%01")


@BOTH
@pytest.mark.parametrize("command", ["create", "request"])
@pytest.mark.parametrize("slot, alg", [("9a", "RS256"), ("9c", "PS256")])
def test_a_certificate_costs_one_signature(card, keystay, module, command, slot, alg):
    card.control.counters(reset=True)
    out(keystay(module), "cert", command, key=f"pkcs11:piv-slot={slot}", subject="CN=one", alg=alg)
    assert card.control.counters()["signatures"] == 1
