# SPDX-License-Identifier: Apache-2.0
"""Where the certificate comes from, and which one is refused: always before anything is signed."""

import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import signed
from cli import refused



def public_pem(certificate):
    return certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def uses(result, certificate):
    header, _ = signed.read(result.token, certificate)
    return header["x5t#S256"] == signed.sha256(certificate)


@pytest.fixture(scope="session")
def certs_folder(make_folder, main_folder):
    """The key's id is that of a stranger's certificate; the key's own certificate has another id."""
    folder = make_folder("certs")
    folder.store_certificate(main_folder.file("cert.pem"), "stranger", "01")
    folder.store_certificate(folder.file("cert.pem"), "own", "77")
    return folder


@pytest.fixture(scope="session")
def renewed_folder(make_folder):
    """Two certificates of one key on the token: the second lasts longer."""
    folder = make_folder("renewed", "--days", "30", "--cert-on-token")
    template = folder.write("template", 'dn = "CN=renewed"\nexpiration_days = 300\nsigning_key\n')
    command = ["certtool", "--provider", folder.module, "--generate-self-signed", "--hash", "SHA256",
               "--load-privkey", "pkcs11:token=renewed;id=%01;type=private", "--load-pubkey",
               folder.write("public.pem", public_pem(folder.certificate())), "--template", template,
               "--outfile", folder.file("renewed.pem")]
    env = {"SOFTHSM2_CONF": folder.conf, "GNUTLS_PIN": folder.pin, "PATH": "/usr/bin:/bin"}
    subprocess.run(command, check=True, env=env, capture_output=True, stdin=subprocess.DEVNULL)
    folder.store_certificate(folder.file("renewed.pem"), "renewed", "01")
    return folder


def test_from_a_pem_file(keystay, main_folder):
    assert uses(keystay.assertion(), main_folder.certificate())


def test_from_a_der_file(keystay, main_folder):
    path = main_folder.write("cert.der", main_folder.certificate().public_bytes(Encoding.DER))
    assert uses(keystay.assertion(certificate=path), main_folder.certificate())


def test_from_the_token(keystay, main_folder):
    assert keystay.token(certificate=None).status == 0
    assert uses(keystay.assertion(certificate=None), main_folder.certificate())


def test_on_the_token_it_is_found_by_its_public_key(at, certs_folder):
    assert uses(at(certs_folder).assertion(certificate=None), certs_folder.certificate())


@pytest.mark.parametrize("part", ["object=own", "id=%77", "type=cert;id=%77;object=own"])
def test_by_uri(at, certs_folder, part):
    result = at(certs_folder).assertion(certificate=f"pkcs11:token=certs;{part}")
    assert uses(result, certs_folder.certificate())


@pytest.mark.parametrize("part", ["object=stranger", "id=%01", "object=nobody"])
def test_by_uri_it_must_still_be_the_keys(at, certs_folder, part):
    result = at(certs_folder).assertion(certificate=f"pkcs11:{part}", shim="")
    refused(result, 3, "no certificate fits", "%01", hint="--certificate")
    assert result.calls["C_Sign"] == 0


def test_a_uri_of_another_type(keystay):
    refused(keystay.assertion(certificate="pkcs11:type=private"), 3, "must be 'cert'")


def test_of_two_the_one_that_lasts_longer(at, renewed_folder):
    result = at(renewed_folder).assertion(certificate=None)
    assert uses(result, renewed_folder.certificate("renewed.pem"))


def test_none_on_the_token(at, keys_folder):
    result = at(keys_folder).token(certificate=None, key="pkcs11:id=%01", shim="")
    refused(result, 3, "no certificate for the key", "%01", hint="--certificate FILE")
    assert result.calls["C_Sign"] == 0


def test_it_does_not_belong_to_the_key(at, keys_folder, server):
    result = at(keys_folder).token(certificate=keys_folder.file("two.pem"), key="pkcs11:id=%01", shim="")
    refused(result, 3, "do not belong together", "id=%01", "CN=keystay fixture", hint="--certificate")
    assert result.calls["C_Sign"] == 0
    assert server.log() == []


def test_a_key_that_hides_its_modulus_is_judged_by_its_signature(at, keys_folder, server):
    keystay = at(keys_folder)
    options = {"key": "pkcs11:id=%01", "shim": "CKA_MODULUS=hidden"}
    assert uses(keystay.assertion(**options), keys_folder.certificate())
    refused(keystay.token(certificate=keys_folder.file("two.pem"), **options), 3, "does not verify")
    assert server.log() == []


@pytest.fixture(scope="session", params=[
    ("expired", ["--days", "-1"], "expired at", "make a new certificate"),
    ("early", ["--starts", "10", "--days", "20"], "is not valid before", "clock"),
], ids=["expired", "early"])
def untimely(request, make_folder):
    """A folder, and the words and the hint that its certificate deserves."""
    name, options, words, hint = request.param
    return make_folder(name, *options, "--cert-on-token", "--subject", "CN=the one"), words, hint


def test_out_of_its_time_in_a_file_is_refused_before_the_module_is_loaded(at, untimely, server):
    folder, words, hint = untimely
    result = at(folder).token(shim="")
    refused(result, 3, words, "CN=the one", hint=hint)
    assert not result.calls
    assert server.log() == []


def test_out_of_its_time_on_the_token_is_refused_before_signing(at, untimely, server):
    folder, words, hint = untimely
    result = at(folder).token(certificate=None, shim="")
    refused(result, 3, words, "CN=the one", hint=hint)
    assert result.calls["C_Sign"] == 0
    assert server.log() == []


@pytest.mark.parametrize("content, words", [
    (b"", "0 bytes"),
    (b"not a certificate\n", "neither PEM nor DER"),
    (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "neither PEM nor DER"),
    (b"\0" * (4 << 20), "longer than"),
], ids=["empty", "text", "pem", "long"])
def test_a_file_that_is_none(keystay, main_folder, content, words):
    result = keystay.token(certificate=main_folder.write("bad.pem", content), shim="")
    refused(result, 3, words)
    assert not result.calls


def test_no_such_file(keystay, main_folder):
    result = keystay.token(certificate="/nonexistent/cert.pem", shim="")
    refused(result, 3, "/nonexistent/cert.pem", "No such file")
    assert not result.calls
    refused(keystay.token(certificate=main_folder.path), 3, "is a folder")
