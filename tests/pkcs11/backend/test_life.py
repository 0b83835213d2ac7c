# SPDX-License-Identifier: Apache-2.0
"""From a key that is made in the token to the day when it is deleted there, on every module alike.

What a module cannot do stands in CANNOT: it is asked for all the same, and must say so in a way that helps.
"""

import datetime
import functools
import json
import os
import re
import subprocess

import cli
import cryptoki as ck
import jws
import pytest
import signed
from cli import refused
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from harness import AuthServer
from token_under_test import KEYS, MODULE, MODULE_ARGS, NAME

TYPES = {"rsa:2048": ("RSA", "RS256"), "ec:P-256": ("EC", "ES256")}
TAKEN_BY_THE_SERVER = ("rsa:2048",)  # it is as Entra ID is
CALLS_MAX = 20

# Module: what ends in an error, with a word of its message and one of its hint.
CANNOT = {
    # NSS does not say of any key that it was made inside.
    "nss": dict.fromkeys(TYPES, ("CKA_LOCAL is not true; it was destroyed again", "policy")),
}.get(NAME, {})

# The same for keys that come from outside.
CANNOT_IMPORT = {
    "tpm2": dict.fromkeys(TYPES, ("C_CreateObject failed", "make a new one in it")),
}.get(NAME, {})

# Makes no key where the token lists no mechanism for that; one from outside openCryptoki takes all the same.
UNLISTED = ("C_GenerateKeyPair failed", "--type")

pytestmark = pytest.mark.wants("life")


@functools.cache
def the_token():
    """Its serial number, which need not be, and the mechanisms that it lists: by another program than keystay."""
    where = dict(part.split("=", 1) for part in KEYS[0].token_uri.removeprefix("pkcs11:").split(";"))
    with ck.Module(MODULE, MODULE_ARGS) as module:
        slot = module.slot_of(where["token"].replace("%20", " "), where.get("serial"))
        return module.slots()[slot].text("serial"), module.mechanisms(slot)


def has_curves():
    return ck.CKM_EC_KEY_PAIR_GEN in the_token()[1]


def cannot(kind):
    """None, or what stands in CANNOT."""
    return CANNOT.get(kind, UNLISTED if kind == "ec:P-256" and not has_curves() else None)


def name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def certify(request):
    """What a CA makes of a request: it is valid for longer than what the key signed of itself."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return (x509.CertificateBuilder().subject_name(request.subject).issuer_name(name("A CA"))
            .public_key(request.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(400))
            .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()))


class Life:
    """The keys that one test makes, and the program for each of them."""

    def __init__(self, backend, kind):
        self._backend, self.kind = backend, kind
        self.family, self.alg = TYPES[kind]

    def run(self, command, *arguments, **settings):
        result = self._backend.run(command, *arguments, **settings)
        assert result.status == 0, result
        return result.out

    def generate(self, label):
        token = KEYS[0].token_uri
        uri = self.run("key generate", key=token, type=self.kind, label=label).strip()
        serial = ";serial=[^;]+" if the_token()[0] else ""
        assert re.fullmatch(f"pkcs11:token=[^;]+{serial};id=(%[0-9A-F]{{2}})+", uri), uri
        return uri

    def certify_itself(self, uri, subject):
        path = self._backend.file(f"{subject}.pem")
        self.run("cert create", key=uri, subject=f"CN={subject}", days=30, alg=self.alg, store=True, out=path)
        subprocess.run(["openssl", "verify", "-check_ss_sig", "-x509_strict", "-partial_chain", "-CAfile", path, path],
                       check=True, capture_output=True)
        return path

    def certify_by_another(self, uri, subject):
        text = self.run("cert request", key=uri, subject=f"CN={subject}", alg=self.alg)
        request = x509.load_pem_x509_csr(text.encode("ascii"))
        assert request.is_signature_valid and request.subject == name(subject)
        path = self._backend.file(f"{subject}.pem")
        with open(path, "wb") as file:
            file.write(certify(request).public_bytes(Encoding.PEM))
        self.run("cert import", key=uri, **{"in": path})
        return path

    def keys(self):
        """By id, as key list shows them."""
        module, = self._backend.run("key list", format="json", key=KEYS[0].token_uri).json["modules"]
        token, = module["tokens"]
        return {key["id"]: key for key in token["keys"]}, token["certificates"]

    def delete(self, uri):
        self.run("key delete", key=uri, certificates=True, yes=True)

    def _use(self, command, uris, **settings):
        keys = [word for uri in uris for word in ("--key", uri)]
        return self.run(command, *keys, tenant=cli.TENANT, client_id=cli.CLIENT, alg=self.alg, **settings)

    def assertion(self, *uris):
        return self._use("assertion", uris).strip()

    def token(self, server, *uris):
        return self._use("token", uris, authority=server.url, cacert=server.cacert, scope=cli.SCOPE, cache="none")


def server(folder, *certificates):
    (folder / "server").mkdir()
    return AuthServer(folder / "server", [f"{cli.TENANT}={cli.DOMAIN}"], {cli.CLIENT: certificates})


def load(path):
    with open(path, "rb") as file:
        return x509.load_pem_x509_certificate(file.read())


def check_exports(life, uri, certificate):
    """Each form says the same."""
    der = certificate.public_bytes(Encoding.DER)
    out = {form: life.run("cert export", key=uri, format=form)
           for form in ("pem", "base64", "jwk", "jwks", "key-credential", "thumbprint")}
    assert x509.load_pem_x509_certificate(out["pem"].encode("ascii")) == certificate
    assert jws.b64url_encode(der) == out["base64"].strip().translate(str.maketrans("+/", "-_", "=\n"))
    jwk, (of_set,) = json.loads(out["jwk"]), json.loads(out["jwks"])["keys"]
    assert jwk["kty"] == life.family and of_set.items() >= {
        member: jwk[member] for member in (("n", "e") if life.family == "RSA" else ("x", "y"))}.items()
    assert json.loads(out["key-credential"])["key"] == out["base64"].strip()
    assert certificate.fingerprint(hashes.SHA1()).hex().upper() in out["thumbprint"].upper().replace(":", "")
    assert signed.sha256(certificate) in out["thumbprint"]
    path = life._backend.file("export.der")
    life.run("cert export", key=uri, format="der", out=path)
    with open(path, "rb") as file:
        assert file.read() == der


@pytest.mark.parametrize("kind", TYPES)
def test_a_whole_life(backend, tmp_path, kind):
    life = Life(backend, kind)
    before = life.keys()
    if cannot(kind):
        word, hint = cannot(kind)
        refused(backend.run("key generate", key=KEYS[0].token_uri, type=kind), 3, word, hint=hint)
        assert life.keys() == before
        return

    old = life.generate("life")
    shown = life.keys()[0][old.rpartition("id=")[2]]
    assert shown["type"] == life.family and life.alg in shown["algorithms"], shown
    assert shown["claimed_by_token"] | {"sign": True} == {
        "sensitive": True, "always_sensitive": True, "extractable": False, "never_extractable": True, "local": True,
        "sign": True}
    by_itself = life.certify_itself(old, "itself")
    by_another = life.certify_by_another(old, "another")
    check_exports(life, old, load(by_another))

    new = life.generate("next life")
    renewed = life.certify_itself(new, "renewed")
    for uris, certificate in (((old,), by_another), ((new, old), renewed)):
        signed.read(life.assertion(*uris), load(certificate))
    if kind in TAKEN_BY_THE_SERVER:
        with server(tmp_path, by_itself, by_another, renewed) as accepting:
            assert life.token(accepting, old) and life.token(accepting, new, old)
            assert [entry["outcome"]["status"] for entry in accepting.log()] == [200, 200]
    life.delete(old)
    signed.read(life.assertion(new), load(renewed))
    life.delete(new)
    assert life.keys() == before


@pytest.mark.parametrize("kind", TYPES)
def test_a_key_from_outside(backend, kind):
    life = Life(backend, kind)
    before = life.keys()
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa:2048" else ec.generate_private_key(ec.SECP256R1())
    path = backend.file("outside.pem")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    result = backend.run("key import", key=KEYS[0].token_uri, label=f"outside {kind}", **{"in": path})
    if kind in CANNOT_IMPORT:
        word, hint = CANNOT_IMPORT[kind]
        refused(result, 4, word, hint=hint)
        assert life.keys() == before
        return
    assert result.status == 0 and "has been outside" in result.err, result
    uri = result.out.strip()
    if kind == "ec:P-256" and not has_curves():
        refused(backend.run("cert create", key=uri, subject="CN=none"), 3, "offers no mechanism", hint="keystay signs with")
    else:
        certificate = load(life.certify_itself(uri, "imported"))
        signed.read(life.assertion(uri), certificate)
    life.delete(uri)
    assert life.keys() == before


@pytest.mark.parametrize("command", ["cert create", "cert request"])
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_certificate_costs_one_signature_and_few_calls(backend, key, command):
    calls = backend.calls(lambda **more: backend.run(command, key=key.uri, subject="CN=few", alg=key.alg, **more))
    assert calls.count("C_Sign") == 1 and len(calls) <= CALLS_MAX, calls
