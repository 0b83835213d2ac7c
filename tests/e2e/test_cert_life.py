# SPDX-License-Identifier: Apache-2.0
"""cert create, cert request: what the token signed of itself, as others read and judge it."""

import datetime
import random
import re
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.x509.oid import NameOID

import cli
import signed
from cli import refused

NEEDED = ("module", "key", "pin_source")
ALGS = {"rsa:2048": ("RS256", "RS384", "PS256", "PS384"), "ec:P-256": ("ES256",), "ec:P-384": ("ES384",)}
ROWS = [(key_type, alg) for key_type, algs in ALGS.items() for alg in algs]


@pytest.fixture(scope="session")
def bare_folders(make_folder):
    """A token of each key type, with a key and no certificate: for tests that leave nothing on it."""
    made = {}
    return lambda key_type: made.setdefault(
        key_type, made.get(key_type) or make_folder(f"bare {key_type}", "--key-type", key_type, "--no-cert"))


def cert(keystay, verb, shim=None, env=None, **changes):
    options = {name: keystay.defaults[name] for name in NEEDED} | {"subject": "CN=backup,O=Contoso"} | changes
    if shim is not None:
        options = {**options, "module": cli.SHIM} if "module" not in changes else options
        open(keystay._count_path, "w", encoding="ascii").close()
    result = cli.run("cert", verb, *cli._flags(options), env=keystay.environment(env, shim))
    keystay._check_secrets(result)
    return result if shim is None else result._replace(calls=keystay._calls())


def made(keystay, verb, **changes):
    result = cert(keystay, verb, **changes)
    assert result.status == 0 and result.err == "", result
    return result.out


def judge(text, *command):
    return subprocess.run(command, input=text, text=True, capture_output=True, check=True).stdout


def verify(certificate, alg):
    """With the key in it, and as this algorithm says; raises otherwise."""
    digest = {"256": hashes.SHA256(), "384": hashes.SHA384()}[alg[2:]]
    how = {"RS": [padding.PKCS1v15(), digest], "ES": [ec.ECDSA(digest)],
           "PS": [padding.PSS(padding.MGF1(digest), digest.digest_size), digest]}[alg[:2]]
    certificate.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes, *how)


@pytest.mark.parametrize("key_type, alg", ROWS)
def test_a_certificate_for_each_algorithm(at, bare_folders, tmp_path, key_type, alg):
    pem = made(at(bare_folders(key_type)), "create", alg=alg)
    path = tmp_path / "cert.pem"
    path.write_text(pem)
    judge(pem, "openssl", "verify", "-check_ss_sig", "-x509_strict", "-partial_chain", "-CAfile", str(path), str(path))
    assert "CN=backup,O=Contoso" in judge(pem, "certtool", "--certificate-info")
    certificate = x509.load_pem_x509_certificate(pem.encode())
    verify(certificate, alg)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature and not usage.value.key_cert_sign
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and constraints.value.ca is False
    own = x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())
    assert certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value == own


@pytest.mark.parametrize("key_type, alg", ROWS)
def test_a_request_for_each_algorithm(at, bare_folders, key_type, alg):
    pem = made(at(bare_folders(key_type)), "request", alg=alg, san="dns:backup.contoso.example")
    judge(pem, "openssl", "req", "-verify", "-noout")
    assert "backup.contoso.example" in judge(pem, "certtool", "--crq-info")
    request = x509.load_pem_x509_csr(pem.encode())
    assert request.is_signature_valid
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["backup.contoso.example"]
    assert request.extensions.get_extension_for_class(x509.KeyUsage).critical


@pytest.mark.parametrize("key_type, alg", [("rsa:2048", "RS256"), ("ec:P-256", "ES256"), ("ec:P-384", "ES384")])
def test_what_is_taken_when_nothing_is_said(at, bare_folders, key_type, alg):
    certificate = x509.load_pem_x509_certificate(made(at(bare_folders(key_type)), "create").encode())
    verify(certificate, alg)
    span = certificate.not_valid_after - datetime.datetime.utcnow()
    assert datetime.timedelta(364, 86000) < span <= datetime.timedelta(365)
    assert certificate.not_valid_before < datetime.datetime.utcnow()


def test_serials_are_random(at, bare_folders):
    keystay = at(bare_folders("ec:P-256"))
    serials = {x509.load_pem_x509_certificate(made(keystay, "create").encode()).serial_number for _ in range(4)}
    assert len(serials) == 4 and all(2**96 < serial < 2**128 for serial in serials)


@pytest.mark.parametrize("options, end", [({"days": 1}, None), ({"not_after": "2031-02-28"}, (2031, 2, 28, 0, 0, 0)),
                                          ({"not_after": "2030-12-31T23:59:58Z"}, (2030, 12, 31, 23, 59, 58))])
def test_until_when(at, bare_folders, options, end):
    certificate = x509.load_pem_x509_certificate(made(at(bare_folders("ec:P-256")), "create", **options).encode())
    if end is None:
        assert certificate.not_valid_after < datetime.datetime.utcnow() + datetime.timedelta(1, 60)
    else:
        assert certificate.not_valid_after == datetime.datetime(*end)


def random_text(source, alphabet, longest):
    return "".join(source.choice(alphabet) for _ in range(source.randint(1, longest)))


KINDS = {"dns": (x509.DNSName, "DNS"), "uri": (x509.UniformResourceIdentifier, "URI"),
         "email": (x509.RFC822Name, "email")}


def random_names(source):
    """Of each kind, in any order: [(kind, value), ...]"""
    host = lambda: f"{random_text(source, 'abz9', 10)}.example"  # noqa: E731
    make = {"dns": host, "uri": lambda: f"https://{host()}/{random_text(source, 'aZ0-_.~?&=', 20)}",
            "email": lambda: f"{random_text(source, 'abz9', 10)}@{host()}"}
    return [(kind, make[kind]()) for kind in (source.choice(list(make)) for _ in range(source.randint(1, 4)))]


def read_by_openssl(pem):
    """Subject and names as openssl prints them: NAME=VALUE a line, and KIND:VALUE."""
    command = ["openssl", "req" if "REQUEST" in pem else "x509", "-noout", "-text", "-nameopt",
               "sep_multiline,utf8,sname"]
    text = judge(pem, *command)
    subject = re.search(r"Subject: *\n?((?: *[A-Z]+=.*\n)+)", text)[1]
    names = re.search(r"Subject Alternative Name: *\n *(.*)\n", text)[1]
    return [line.strip() for line in subject.splitlines()], names.split(", ")


def test_what_was_written_is_read_back(at, bare_folders):
    """For random subjects and names, by two other readers."""
    keystay, source = at(bare_folders("ec:P-256")), random.Random(7)
    oids = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
            "L": NameOID.LOCALITY_NAME, "ST": NameOID.STATE_OR_PROVINCE_NAME}
    for _ in range(15):
        parts = [(source.choice(list(oids)), random_text(source, "aZ09 ,+\"\\;<>=#äß東é", 30))
                 for _ in range(source.randint(1, 5))]
        parts = [(name, value) for name, value in parts if value.strip()] or [("CN", "x")]
        subject = ",".join(name + "=" + re.sub(r'([ ,+;<>=#"\\])', r"\\\1", value) for name, value in parts)
        names = random_names(source)
        pem = made(keystay, source.choice(["create", "request"]), subject=subject, san=",".join(
            f"{source.choice([kind, kind.upper()])}:{value}" for kind, value in names))
        read = (x509.load_pem_x509_csr if "REQUEST" in pem else x509.load_pem_x509_certificate)(pem.encode())
        assert [(part.oid, part.value) for part in read.subject][::-1] == [(oids[name], value) for name, value in parts]
        found = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert list(found) == [KINDS[kind][0](value) for kind, value in names]
        theirs = read_by_openssl(pem)
        assert theirs[0][::-1] == [f"{name}={value}".strip() for name, value in parts]
        assert theirs[1] == [f"{KINDS[kind][1]}:{value}" for kind, value in names]


def test_all_kinds_of_names(at, bare_folders):
    pem = made(at(bare_folders("ec:P-256")), "create", san="dns:*.a.example,uri:https://b.example/c?d=e,email:f@g.example")
    names = x509.load_pem_x509_certificate(pem.encode()).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert [name.value for name in names.value] == ["*.a.example", "https://b.example/c?d=e", "f@g.example"]


@pytest.mark.parametrize("key_type, options, n_max", [
    ("rsa:2048", {}, 20), ("ec:P-256", {}, 20), ("rsa:2048", {"verb": "request"}, 20),
    ("ec:P-384", {"verb": "request"}, 20)])
def test_it_costs_one_signature_and_few_calls(at, bare_folders, key_type, options, n_max):
    result = cert(at(bare_folders(key_type)), options.get("verb", "create"), shim="")
    assert result.status == 0 and result.calls["C_Sign"] == 1
    assert sum(result.calls.values()) <= n_max, result.calls


@pytest.mark.parametrize("key_type", ["rsa:2048", "ec:P-256"])
def test_stored_beside_its_key(at, make_folder, key_type):
    """The whole way: the key that was made, its certificate, an assertion that verifies with it."""
    folder = make_folder("stored", "--no-key")
    keystay = at(folder)
    options = {name: keystay.defaults[name] for name in NEEDED} | {"key": "pkcs11:token=stored"}
    uri = cli.run("key", "generate", *cli._flags(options | {"type": key_type, "label": "new"}),
                  env=keystay.environment()).out.strip()
    out = folder.file("new.pem")
    result = cert(keystay, "create", shim="", key=uri, store=True, out=out)
    assert (result.status, result.out) == (0, ""), result
    assert sum(result.calls.values()) <= 20 and result.calls["C_Sign"] == 1, result.calls
    certificate = folder.certificate("new.pem")
    seen = subprocess.run(
        ["pkcs11-tool", "--module", folder.module, "-O", "--type", "cert"], capture_output=True, text=True, check=True,
        stdin=subprocess.DEVNULL, env=cli.environment({"SOFTHSM2_CONF": folder.conf})).stdout
    assert re.search(r"label: +new\n", seen) and re.search(r"ID: +01\n", seen) and "DN: O=Contoso, CN=backup" in seen
    alg = "RS256" if key_type.startswith("rsa") else "ES256"
    signed.read(keystay.assertion(key=uri, certificate=None, alg=alg).token, certificate)


def test_an_older_certificate_stays_and_the_newer_is_used(at, make_folder):
    folder = make_folder("renewed", "--cert-on-token", "--days", "30")
    keystay = at(folder)
    result = cert(keystay, "create", key="pkcs11:token=renewed", store=True, out=folder.file("new.pem"))
    assert result.status == 0, result
    signed.read(keystay.assertion(key="pkcs11:token=renewed", certificate=None).token, folder.certificate("new.pem"))


@pytest.mark.parametrize("options, word", [
    ({"subject": None}, "--subject must be given"), ({"subject": "backup"}, "bad subject"),
    ({"subject": "CN=a\x1b[2J"}, "bad subject"), ({"san": "a.example"}, "bad --san"), ({"days": "0"}, "--days"),
    ({"days": "4000"}, "--days"), ({"days": "x"}, "--days"), ({"not_after": "2031-02-29"}, "no date"),
    ({"not_after": "2031-2-3"}, "no date"), ({"not_after": "2020-01-01"}, "must be ahead"),
    ({"not_after": "2031-01-01", "days": "5"}, "both given"), ({"not_after": "+031-01-01"}, "no date")])
def test_what_cannot_be_meant_costs_no_pin(at, bare_folders, options, word):
    result = cert(at(bare_folders("ec:P-256")), "create", shim="", **options)
    refused(result, 2, word)
    assert not result.calls


def test_an_algorithm_that_no_certificate_has(at, bare_folders):
    result = cert(at(bare_folders("rsa:2048")), "create", shim="", alg="RS512")
    refused(result, 3, "RS512", hint="RS384")
    assert not result.calls
    refused(cert(at(bare_folders("rsa:2048")), "create", alg="ES256"), 3, "cannot sign ES256")


def test_a_file_that_is_there_is_not_written_over(at, bare_folders, tmp_path):
    path = tmp_path / "cert.pem"
    path.write_text("precious")
    result = cert(at(bare_folders("ec:P-256")), "create", shim="", out=path)
    refused(result, 2, "exists already")
    assert not result.calls and path.read_text() == "precious"


@pytest.mark.parametrize("key_type", ["rsa:2048", "ec:P-256"])
@pytest.mark.parametrize("verb", ["create", "request"])
def test_a_corrupted_signature_never_leaves(at, bare_folders, key_type, verb):
    result = cert(at(bare_folders(key_type)), verb, shim="C_Sign:flip")
    refused(result, 3, "does not verify", "thrown away")


def test_a_key_that_the_token_would_hand_out_is_not_certified(at, bare_folders):
    result = cert(at(bare_folders("rsa:2048")), "create", shim="CKA_EXTRACTABLE=true")
    refused(result, 3, "would hand this private key out", hint="--allow-extractable")
    assert result.calls["C_Sign"] == 0
    assert cert(at(bare_folders("rsa:2048")), "create", shim="CKA_EXTRACTABLE=true", allow_extractable=True).status == 0


@pytest.mark.parametrize("fault", ["0x180=missing 0x181=missing", "0x181=missing", "0x181=0x0401"])
def test_a_token_that_does_not_tell_the_public_key(at, bare_folders, fault):
    result = cert(at(bare_folders("ec:P-256")), "create", shim=fault)
    refused(result, 3, "public key")
    assert result.calls["C_Sign"] == 0


def test_a_token_that_takes_no_certificates(at, bare_folders, tmp_path):
    result = cert(at(bare_folders("ec:P-256")), "create", shim="C_CreateObject=0x101", store=True)
    refused(result, 4, "C_CreateObject failed", hint="management key")


def test_a_fault_that_passes_is_recovered_from(at, bare_folders):
    result = cert(at(bare_folders("ec:P-256")), "create", shim="C_Sign=0xB3@1")
    assert result.status == 0 and result.calls["C_Login"] == 2, result
