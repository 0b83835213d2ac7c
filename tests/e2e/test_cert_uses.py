# SPDX-License-Identifier: Apache-2.0
"""cert export, show, import, status: what is told of a certificate, to whom, and until when it is good."""

import base64
import datetime
import hashlib
import json
import os
import pathlib
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import cli
import signed
from cli import refused

VECTORS = os.environ.get("KEYSTAY_VECTORS") or pathlib.Path(__file__).resolve().parents[3] / "shared/vectors"
PUBLISHED = pathlib.Path(VECTORS, "entra/msgraph_howto_cert.pem")


def cert(keystay, verb, shim=None, **changes):
    """Without a PIN source, unless one is given: no PIN is needed to look at a certificate."""
    options = {name: keystay.defaults[name] for name in ("module", "key")} | changes
    if shim is not None:
        options["module"] = cli.SHIM
        open(keystay._count_path, "w", encoding="ascii").close()
    result = cli.run("cert", verb, *cli._flags(options), env=keystay.environment(None, shim))
    keystay._check_secrets(result)
    return result if shim is None else result._replace(calls=keystay._calls())


def export(keystay, form, **changes):
    result = cert(keystay, "export", format=form, **changes)
    assert result.status == 0 and result.err == "", result
    return result.out


def url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def number(value):
    return url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def der_of(folder, name="cert.pem"):
    return folder.certificate(name).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("where", ["token", "file"])
def test_the_certificate_itself(keystay, main_folder, where, tmp_path):
    given = {"certificate": main_folder.file("cert.pem")} if where == "file" else {}
    der = der_of(main_folder)
    assert x509.load_pem_x509_certificate(export(keystay, "pem", **given).encode()) == main_folder.certificate()
    assert x509.load_pem_x509_certificate(export(keystay, None, **given).encode()) == main_folder.certificate()
    assert export(keystay, "base64", **given) == base64.b64encode(der).decode() + "\n"
    path = tmp_path / "cert.der"
    assert export(keystay, "der", out=path, **given) == "" and path.read_bytes() == der
    refused(cert(keystay, "export", out=path), 2, "exists already")


def test_no_pin_is_sent_and_a_file_needs_no_module(keystay, main_folder):
    result = cert(keystay, "export", shim="", pin_source=keystay.defaults["pin_source"])
    assert result.status == 0 and result.calls["C_Login"] == 0 and result.calls["C_Sign"] == 0
    result = cert(keystay, "export", shim="", certificate=main_folder.file("cert.pem"))
    assert result.status == 0 and not result.calls


def test_a_jwk_of_an_rsa_key(keystay, main_folder):
    numbers = main_folder.certificate().public_key().public_numbers()
    members = {"e": number(numbers.e), "kty": "RSA", "n": number(numbers.n)}
    kid = url(hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())
    jwk = json.loads(export(keystay, "jwk"))
    assert jwk == members | {"kid": kid, "use": "sig", "x5t#S256": url(hashlib.sha256(der_of(main_folder)).digest())}
    assert json.loads(export(keystay, "jwks")) == {"keys": [jwk]}
    header, _ = signed.read(keystay.assertion(kid="jwk").token, main_folder.certificate())
    assert header["kid"] == kid


def test_a_jwk_of_an_ec_key(at, make_folder):
    folder = make_folder("jwk", "--key-type", "ec:P-384", "--cert-on-token")
    numbers = folder.certificate().public_key().public_numbers()
    jwk = json.loads(export(at(folder), "jwk"))
    assert (jwk["kty"], jwk["crv"]) == ("EC", "P-384")
    assert (jwk["x"], jwk["y"]) == (url(numbers.x.to_bytes(48, "big")), url(numbers.y.to_bytes(48, "big")))


def test_our_own_set_verifies_our_own_assertions(keystay, tmp_path):
    """What a server would do with it."""
    jwks = tmp_path / "keys.json"
    assert export(keystay, "jwks", out=jwks) == ""
    token = tmp_path / "token"
    token.write_text(keystay.assertion(kid="jwk").token)
    result = cli.run("jwt", "verify", "--jwks", str(jwks), "--any-audience", str(token))
    assert result.status == 0, result


def test_graphs_key_credential(keystay, main_folder):
    credential = json.loads(export(keystay, "key-credential"))
    certificate = main_folder.certificate()
    der = der_of(main_folder)
    assert (credential["type"], credential["usage"]) == ("AsymmetricX509Cert", "Verify")
    assert base64.b64decode(credential["customKeyIdentifier"], validate=True) == hashlib.sha1(der).digest()
    assert base64.b64decode(credential["key"], validate=True) == der
    assert credential["displayName"] == "CN=keystay fixture"
    for name, moment in (("startDateTime", certificate.not_valid_before), ("endDateTime", certificate.not_valid_after)):
        assert datetime.datetime.strptime(credential[name], "%Y-%m-%dT%H:%M:%SZ") == moment


def test_thumbprints(keystay, main_folder):
    lines = dict(line.rsplit(" ", 1) for line in export(keystay, "thumbprint").splitlines())
    values = {name.strip(): value for name, value in lines.items()}
    for name, digest in (("SHA-1", hashlib.sha1), ("SHA-256", hashlib.sha256)):
        value = digest(der_of(main_folder)).digest()
        assert values[name] == value.hex().upper() and values[f"{name} base64url"] == url(value)
    assert values["key (RFC 7638)"] == json.loads(export(keystay, "jwk"))["kid"]


def test_thumbprints_that_were_published(keystay, main_folder, tmp_path):
    """Microsoft's own example where it is at hand; the same rules on a certificate made here where it is not."""
    path = PUBLISHED if PUBLISHED.is_file() else pathlib.Path(main_folder.file("cert.pem"))
    out = cert(keystay, "show", certificate=path).out  # it has expired long ago, and is shown all the same
    if PUBLISHED.is_file():
        assert "BB5D1064437D8720A5C53078185E6A361A78B10A" in out and "u10QZEN9hyClxTB4GF5qNhp4sQo" in out
        assert "2sO9B3J1TbNIqVzWomkVSxcv9mu2HT4KpxCNwIAabdk" in out
    else:
        assert hashlib.sha1(der_of(main_folder)).hexdigest().upper() in out


def test_show_says_what_to_do_next(keystay, main_folder):
    result = cert(keystay, "show")
    assert result.status == 0 and result.err == ""
    for word in ("CN=keystay fixture", "token 'main'", "id=%01", "RSA, 2048 bits", "Entra ID", "Keycloak", "Okta",
                 hashlib.sha256(der_of(main_folder)).hexdigest().upper()):
        assert word in result.out, word


def test_several_keys_must_be_told_apart(at, make_folder):
    folder = make_folder("apart", "--cert-on-token")
    folder.add("--add-key", "--label", "apart", "--key-id", "02", "--cert", "two.pem", "--cert-on-token")
    keystay = at(folder)
    refused(cert(keystay, "export", key="pkcs11:token=apart"), 3, "several keys", "id=%01", "id=%02", hint="id=%XX")
    out = export(keystay, "pem", key="pkcs11:token=apart;id=%02")
    assert x509.load_pem_x509_certificate(out.encode()) == folder.certificate("two.pem")
    assert export(keystay, "pem", key="pkcs11:token=apart", certificate="pkcs11:id=%02") == out
    assert cert(keystay, "show", key="pkcs11:token=apart").out.count("certificate '") == 2


def test_no_certificate_at_all(at, keys_folder):
    refused(cert(at(keys_folder), "export", key="pkcs11:token=keys"), 3, "no such certificate", hint="cert create")


def issued(folder, ca_key, days=90, public_key=None):
    """By a CA, for the request that the token signed."""
    now = datetime.datetime.utcnow()
    ca = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a CA")])
    request = x509.load_pem_x509_csr(folder.read("request.pem").encode())
    certificate = (x509.CertificateBuilder().subject_name(request.subject).issuer_name(ca)
                   .public_key(public_key or request.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=days))
                   .sign(ca_key, hashes.SHA256()))
    return certificate.public_bytes(serialization.Encoding.PEM)


def test_a_cas_certificate_comes_back(at, make_folder):
    """Request, CA, import, an assertion that verifies with what the CA issued."""
    folder = make_folder("ca", "--no-cert")
    keystay = at(folder)
    pin = {"pin_source": keystay.defaults["pin_source"], "key": "pkcs11:token=ca"}
    assert cert(keystay, "request", subject="CN=one", out=folder.file("request.pem"), **pin).status == 0
    ca_key = ec.generate_private_key(ec.SECP256R1())
    folder.write("good.pem", issued(folder, ca_key))
    folder.write("other.pem", issued(folder, ca_key, public_key=ca_key.public_key()))
    folder.write("old.pem", issued(folder, ca_key, days=-0.01))
    stranger = cert(keystay, "import", shim="", **{"in": folder.file("other.pem")}, **pin)
    refused(stranger, 3, "is not that of the key id=%01", "not stored", hint="key list")
    assert stranger.calls["C_CreateObject"] == 0 and stranger.calls["C_Sign"] == 0
    refused(cert(keystay, "import", shim="", **{"in": folder.file("old.pem")}, **pin), 3, "expired")
    result = cert(keystay, "import", shim="", **{"in": folder.file("good.pem")}, **pin)
    assert (result.status, result.out, result.calls["C_Sign"]) == (0, "", 0), result
    signed.read(keystay.assertion(key="pkcs11:token=ca", certificate=None).token, folder.certificate("good.pem"))
    assert x509.load_pem_x509_certificate(export(keystay, "pem", key="pkcs11:token=ca").encode()) == \
        folder.certificate("good.pem")


def test_import_wants_a_file(keystay):
    refused(cert(keystay, "import", shim=""), 2, "--in")
    refused(cert(keystay, "import", shim="", **{"in": "/nonexistent/cert.pem"}), 3, "/nonexistent/cert.pem")


@pytest.fixture(scope="session")
def ends(make_folder):
    """Certificates in files: one that ends in ten days, one in a year, one that has ended; keys of their own."""
    return {days: make_folder(f"ends {days}", "--days", days) for days in ("10", "365", "-5")}


def status(keystay, *folders, **changes):
    paths = [argument for folder in folders for argument in ("--certificate", folder.file("cert.pem"))]
    result = cli.run("cert", "status", *paths, *cli._flags(changes), env=keystay.environment())
    return result


@pytest.mark.parametrize("names, within, exit_status, states", [
    (["365"], None, 0, ["valid"]), (["10"], None, 1, ["ending"]), (["10"], 5, 0, ["valid"]),
    (["10"], 0, 0, ["valid"]), (["365"], 366, 1, ["ending"]), (["-5"], 0, 1, ["expired"]),
    (["365", "-5", "10"], None, 1, ["expired", "ending", "valid"])])
def test_what_ends_when(keystay, ends, names, within, exit_status, states):
    result = status(keystay, *(ends[name] for name in names), within=within, format="json")
    assert result.status == exit_status, result
    assert [item["state"] for item in json.loads(result.out)["certificates"]] == states
    assert ("keystay: " in result.err) == (exit_status == 1)
    text = status(keystay, *(ends[name] for name in names), within=within)
    assert text.status == exit_status and [line.split()[0] for line in text.out.splitlines()] == states


def test_status_tells_the_times(keystay, ends):
    (item,) = json.loads(status(keystay, ends["365"], format="json").out)["certificates"]
    certificate = ends["365"].certificate()
    epoch = datetime.datetime(1970, 1, 1)
    assert item["not_after"] == (certificate.not_valid_after - epoch).total_seconds()
    assert item["not_before"] == (certificate.not_valid_before - epoch).total_seconds()
    assert 0 < item["seconds_left"] < 366 * 86400 and item["where"] == f"file '{ends['365'].file('cert.pem')}'"


def test_what_is_renewed_is_no_alarm(at, make_folder):
    """The overlap: the old one still there, the new one registered beside it."""
    folder = make_folder("overlap", "--cert-on-token", "--days", "10")
    keystay = at(folder)
    key = {"key": "pkcs11:token=overlap"}
    assert cert(keystay, "status", **key).status == 1
    made = cert(keystay, "create", store=True, subject="CN=next", pin_source=keystay.defaults["pin_source"], **key)
    assert made.status == 0, made
    result = cert(keystay, "status", format="json", **key)
    assert result.status == 0, result
    assert [item["state"] for item in json.loads(result.out)["certificates"]] == ["superseded", "valid"]
    assert x509.load_pem_x509_certificate(export(keystay, "pem", **key).encode()).subject.rfc4514_string() == "CN=next"


@pytest.mark.parametrize("within", ["-1", "x", "4000"])
def test_within_is_a_number_of_days(keystay, within):
    refused(cert(keystay, "status", shim="", within=within), 2, "--within")


def test_an_expired_one_is_not_exported(keystay, ends):
    refused(cert(keystay, "export", certificate=ends["-5"].file("cert.pem")), 3, "expired")


def test_openssl_reads_the_export(keystay, tmp_path):
    path = tmp_path / "cert.pem"
    path.write_text(export(keystay, "pem"))
    out = subprocess.run(["openssl", "x509", "-in", os.fspath(path), "-noout", "-fingerprint", "-sha256"],
                         capture_output=True, text=True, check=True).stdout
    assert out.split("=")[1].strip().replace(":", "") in export(keystay, "thumbprint")
