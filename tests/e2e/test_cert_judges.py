# SPDX-License-Identifier: Apache-2.0
"""What is made and told of certificates, judged by Node's X509Certificate: whoever registers one often does so from there."""

import datetime
import json
import shutil
import subprocess

import pytest

import cli

READ = """
const { X509Certificate } = require('node:crypto');
const one = new X509Certificate(require('node:fs').readFileSync(0));
const { subject, issuer, subjectAltName, fingerprint, fingerprint256, validFrom, validTo, serialNumber, ca } = one;
console.log(JSON.stringify({ subject, issuer, subjectAltName, fingerprint, fingerprint256, validFrom, validTo, serialNumber,
    ca, extended: one.keyUsage ?? null, isItsOwn: one.verify(one.publicKey),
    keyType: one.publicKey.asymmetricKeyType, bits: one.publicKey.asymmetricKeyDetails.modulusLength ?? null,
    curve: one.publicKey.asymmetricKeyDetails.namedCurve ?? null, jwk: one.publicKey.export({ format: 'jwk' }),
    der: one.raw.toString('base64') }));
"""
NAMES = "dns:backup.contoso.example,uri:spiffe://contoso.example/backup,email:backup@contoso.example"
DATE = "%b %d %H:%M:%S %Y GMT"


def node(certificate):
    """What Node reads in PEM or DER."""
    if shutil.which("node") is None:
        pytest.skip("needs node")
    data = certificate if isinstance(certificate, bytes) else certificate.encode()
    done = subprocess.run(["node", "-e", READ], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def cert(keystay, verb, *names, **changes):
    options = {name: keystay.defaults[name] for name in ("module", "key", *names)} | changes
    result = cli.run("cert", verb, *cli._flags(options), env=keystay.environment())
    assert (result.status, result.err) == (0, ""), result
    return result


def moment(text):
    return datetime.datetime.strptime(text, DATE).replace(tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize("key_type, alg, key", [
    ("rsa:2048", "RS256", ("rsa", 2048, None)), ("rsa:2048", "PS256", ("rsa", 2048, None)),
    ("ec:P-256", "ES256", ("ec", None, "prime256v1")), ("ec:P-384", "ES384", ("ec", None, "secp384r1"))])
def test_a_certificate_that_was_made(at, make_folder, key_type, alg, key):
    keystay = at(make_folder(f"judged {key_type} {alg}", "--key-type", key_type, "--no-cert"))
    begin = datetime.datetime.now(datetime.timezone.utc)
    made = cert(keystay, "create", "pin_source", alg=alg, subject="CN=backup,OU=Nights,O=Contoso", san=NAMES, days=90).out
    seen = node(made)
    assert (seen["subject"], seen["issuer"]) == ("O=Contoso\nOU=Nights\nCN=backup",) * 2
    assert seen["subjectAltName"] == ("DNS:backup.contoso.example, URI:spiffe://contoso.example/backup, "
                                      "email:backup@contoso.example")
    assert seen["isItsOwn"] is True and seen["ca"] is False and seen["extended"] is None
    assert (seen["keyType"], seen["bits"], seen["curve"]) == key
    assert len(seen["serialNumber"]) == 32 or len(seen["serialNumber"].lstrip("0")) > 24
    assert moment(seen["validFrom"]) <= begin
    assert abs(moment(seen["validTo"]) - begin - datetime.timedelta(days=90)) < datetime.timedelta(minutes=2)


def test_what_the_key_may_be_used_for(at, make_folder):
    """Node tells only the extended usages; the critical one is read by openssl."""
    keystay = at(make_folder("usage", "--no-cert"))
    made = cert(keystay, "create", "pin_source", subject="CN=backup").out
    text = subprocess.run(["openssl", "x509", "-noout", "-ext", "keyUsage"], input=made, capture_output=True, text=True,
                          check=True).stdout
    assert [line.strip() for line in text.splitlines()] == ["X509v3 Key Usage: critical", "Digital Signature"]


def test_what_is_exported(keystay, main_folder):
    """Each form is that of the one certificate."""
    forms = {form: cert(keystay, "export", format=form).out for form in ("pem", "base64", "jwk", "key-credential")}
    seen = node(forms["pem"])
    assert forms["base64"].strip() == seen["der"] == json.loads(forms["key-credential"])["key"]
    jwk = json.loads(forms["jwk"])
    assert {name: jwk[name] for name in seen["jwk"]} == seen["jwk"]
    credential = json.loads(forms["key-credential"])
    for name, told in ("startDateTime", seen["validFrom"]), ("endDateTime", seen["validTo"]):
        assert credential[name] == moment(told).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_show_in_json(keystay, tmp_path):
    (shown,) = cert(keystay, "show", format="json").json["certificates"]
    path = tmp_path / "cert.der"
    cert(keystay, "export", format="der", out=path)
    seen = node(path.read_bytes())
    assert shown["sha1"] == seen["fingerprint"].replace(":", "") and shown["sha256"] == seen["fingerprint256"].replace(":", "")
    assert (shown["not_before"], shown["not_after"]) == (moment(seen["validFrom"]).timestamp(), moment(seen["validTo"]).timestamp())
    assert (shown["subject"], shown["key_type"], shown["key_bits"]) == ("CN=keystay fixture", "RSA", 2048)
    jwk = json.loads(cert(keystay, "export", format="jwk").out)
    assert (shown["kid"], shown["x5t#S256"]) == (jwk["kid"], jwk["x5t#S256"])
    text = cert(keystay, "show").out
    assert "token 'main'" in shown["where"] and all(
        shown[name] in text for name in ("where", "sha1", "x5t", "sha256", "x5t#S256", "kid"))


def test_show_in_json_has_all_of_them(at, keys_folder, main_folder):
    paths = [keys_folder.file("two.pem"), main_folder.file("cert.pem")]
    arguments = [word for path in paths for word in ("--certificate", path)]
    shown = cli.run("cert", "show", "--format", "json", *arguments).json["certificates"]
    assert {item["where"] for item in shown} == {f"file '{path}'" for path in paths}
