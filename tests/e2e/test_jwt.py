# SPDX-License-Identifier: Apache-2.0
"""keystay jwt: tokens of the server and of software keys, taken apart and verified by the program."""

import hashlib
import hmac
import json
import os
import pty
import tempfile
import time

import pytest

import cli
import jws
import softkey
from cli import RESOURCE, TENANT, refused

ISSUER = "https://as.example/one"
AUDIENCE = "api://backup"
KID = "key-1"


class Signer:
    """An issuer with a key in software."""

    def __init__(self, folder):
        self.key = softkey.ec_key()
        numbers = self.key.public_key().public_numbers()
        x, y = (jws.b64url_encode(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        self.jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": KID, "use": "sig"}
        self.jwks = folder / "jwks.json"
        self.jwks.write_text(json.dumps({"keys": [self.jwk]}))
        self.certificate = folder / "cert.pem"
        self.client = softkey.SoftClient("client", self.key, softkey.certificate(self.key))
        self.certificate.write_bytes(self.client.pem())

    def sign(self, header=None, **changes):
        now_s = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "iat": now_s, "nbf": now_s, "exp": now_s + 300} | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        return softkey.sign({"alg": "ES256", "kid": KID} | (header or {}), claims, self.key)


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    return Signer(tmp_path_factory.mktemp("issuer"))


def on_stdin(token, *arguments, env=None):
    """The program with the token on stdin; whatever comes of it, the token does not come out."""
    with tempfile.TemporaryFile() as stdin:
        stdin.write(token.encode("utf-8"))
        stdin.seek(0)
        result = cli.run("jwt", *arguments, env=env, stdin=stdin)
    signature = token.strip().rpartition(".")[2]
    assert len(signature) < 20 or signature not in result.out + result.err
    return result


def decoded(token):
    return on_stdin(token, "decode", "--format", "json").json


def verify(signer, token, *arguments, audience=("--audience", AUDIENCE)):
    return on_stdin(token, "verify", "--jwks", str(signer.jwks), *audience, *arguments)


def said_no(result, *words, hint=""):
    return refused(result, 1, "keystay: no: ", *words, hint=hint)


# ---- decode

def test_decode_tells_what_the_server_issued(keystay):
    token = keystay.token().token
    shown = decoded(token)
    assert (shown["header"], shown["claims"]) == jws.parse(token)[:2]
    assert 3500 < shown["times"]["exp"]["seconds_from_now"] <= 3600
    assert shown["signature"] == {"bytes": 256, "checked": False}


def test_decode_in_words(keystay):
    token = keystay.token(scope=None, resource=RESOURCE).token
    result = on_stdin(token + "\r\n", "decode")
    assert result.status == 0
    assert "Z, in 60 minutes" in result.out or "Z, in 59 minutes" in result.out
    for words in ("# the client used a certificate", "not shown and not checked", "note: a v1.0 token of Entra ID"):
        assert words in result.out


def test_decode_knows_an_assertion(keystay):
    assert any("client assertion" in note for note in decoded(keystay.assertion().token)["notes"])


def test_decode_reads_a_file(signer, tmp_path):
    path = tmp_path / "token"
    path.write_text(signer.sign() + "\n")
    assert cli.run("jwt", "decode", str(path)).status == 0


@pytest.mark.parametrize("command", [["decode"], ["verify", "--issuer", ISSUER, "--audience", AUDIENCE]])
def test_a_token_on_the_command_line_is_not_taken(signer, command):
    token = signer.sign()
    result = refused(cli.run("jwt", *command, token), 2, "command line", hint="stdin")
    assert token not in result.err and "eyJ" not in result.err


def test_a_terminal_is_no_place_for_a_token():
    master, slave = pty.openpty()
    try:
        refused(cli.run("jwt", "decode", stdin=slave), 2, "no token", hint="keystay token")
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize("text, words", [
    ("", ["1 part"]), ("opaque", ["1 part"]), ("a.b.c.d.e", ["encrypted"]), ("{\"access_token\":\"x\"}", ["JSON"]),
    ("eyJhbGciOiJub25lIn0.e30.", ["not signed"]), ("eyJhbGciOiJFUzI1NiJ9.e30.AAAA\n\n", ["third part"]),
    ("eyJhbGciOiJFUzI1NiJ9.e30.AAAA ", ["third part"]), ("eyJhbGciOiJFUzI1NiJ9.Zm9v.AAAA", ["payload", "not JSON"]),
])
def test_what_is_no_token(text, words):
    refused(on_stdin(text, "decode"), 1, *words)


def test_a_token_that_is_too_long():
    refused(on_stdin("e" * 300000, "decode"), 2, "longer than")


def test_a_file_that_is_not_there():
    refused(cli.run("jwt", "decode", "/nonexistent"), 2, "/nonexistent", "No such file")


# ---- verify

def test_verify_says_yes(signer):
    result = verify(signer, signer.sign(), "--issuer", ISSUER)
    assert (result.status, result.out, result.err) == (0, "yes: signature (ES256), times, issuer, audience\n", "")


def test_verify_says_yes_to_programs(signer):
    result = verify(signer, signer.sign(), "--format", "json")
    assert result.json["valid"] is True and result.json["claims"]["iss"] == ISSUER


@pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["x", AUDIENCE]])
def test_the_audience_may_be_one_of_several(signer, aud):
    assert verify(signer, signer.sign(aud=aud)).status == 0


NOW_S = int(time.time())


@pytest.mark.parametrize("changes, words", [
    ({"exp": NOW_S - 120}, ["has ended", "minutes ago"]),
    ({"exp": None}, ["when it ends"]),
    ({"exp": str(NOW_S + 900)}, ["exp is not a number"]),
    ({"nbf": NOW_S + 36000}, ["not valid yet", "in 9 hours"]),
    ({"iat": NOW_S + 36000}, ["made in the future"]),
    ({"aud": "api://other"}, ["is for 'api://other'"]),
    ({"aud": ["api://other"]}, ["not among"]),
    ({"aud": None}, ["whom it is for"]),
    ({"iss": ISSUER + "/"}, ["issuer"]),
    ({"iss": None}, ["names no issuer"]),
    ({"header": {"kid": "key-2"}}, ["none of the 1 keys", "'key-2'"]),
    ({"header": {"alg": "RS256"}}, ["RS256 does not go with the EC key"]),
    ({"header": {"crit": ["x"], "x": 1}}, ["crit"]),
    ({"header": {"b64": False}}, ["b64"]),
    ({"header": {"kid": 1}}, ["kid"]),
], ids=str)
def test_verify_says_no(signer, changes, words):
    said_no(verify(signer, signer.sign(**changes), "--issuer", ISSUER), *words)


def test_no_in_json(signer):
    result = verify(signer, signer.sign(exp=1), "--error-format", "json")
    error = json.loads(result.err)
    assert (result.status, result.out, error["status"], error["exit_status"]) == (1, "", "answer_no", 1)


@pytest.mark.parametrize("at", [0, 40, -90, -1])
def test_a_changed_token(signer, at):
    token = signer.sign()
    at %= len(token)
    changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]
    said_no(verify(signer, changed))


def test_the_public_key_is_no_shared_secret(signer):
    """RFC 8725 §2.1: HS256 with the bytes of the public key as its secret."""
    header = jws.b64url_encode(json.dumps({"alg": "HS256", "kid": KID}).encode())
    claims = signer.sign().split(".")[1]
    for secret in (signer.jwks.read_bytes(), signer.certificate.read_bytes()):
        signature = hmac.new(secret, f"{header}.{claims}".encode(), hashlib.sha256).digest()
        token = f"{header}.{claims}.{jws.b64url_encode(signature)}"
        said_no(verify(signer, token), "HS256")


def test_a_key_in_the_token_is_not_trusted(signer, tmp_path):
    stranger = Signer(tmp_path)
    token = stranger.sign(header={"jwk": stranger.jwk, "jku": "https://as.example/jwks"})
    said_no(verify(signer, token), "signature is not good")


def test_a_nonce_means_graph(signer, tmp_path):
    token = Signer(tmp_path).sign(header={"nonce": "x"})
    said_no(verify(signer, token), "signature is not good", hint="nobody but Graph")


def test_leeway(signer):
    token = signer.sign(exp=int(time.time()) - 90)
    said_no(verify(signer, token), "has ended")
    said_no(verify(signer, token, "--leeway", "0"), "has ended")
    assert verify(signer, token, "--leeway", "300").status == 0


def test_typ(signer):
    token = signer.sign(header={"typ": "at+jwt"})
    assert verify(signer, token, "--typ", "at+jwt").status == 0
    said_no(verify(signer, token, "--typ", "client-authentication+jwt"), "'at+jwt'")


def test_an_audience_must_be_asked_for_or_waived(signer):
    token = signer.sign(aud=None)
    refused(verify(signer, token, audience=()), 2, "whom must the token be for", hint="--any-audience")
    refused(verify(signer, token, "--any-audience"), 2, "--any-audience")
    assert verify(signer, token, audience=("--any-audience",)).out == "yes: signature (ES256), times\n"


@pytest.mark.parametrize("arguments, words", [
    (["--audience", "a"], ["whose keys"]),
    (["--audience", "a", "--jwks", "x", "--certificate", "y"], ["which has the key"]),
    (["--audience", "a", "--audience", "b"], ["--audience is given twice"]),
    (["--audience", "a", "--jwks", "x", "--leeway", "301"], ["0 to 300"]),
    (["--audience", "a", "--tenant", "x"], ["no option --tenant"]),
], ids=str)
def test_wrong_use(signer, arguments, words):
    refused(on_stdin(signer.sign(), "verify", *arguments), 2, *words)


def test_a_set_that_cannot_be_used(signer, tmp_path):
    path = tmp_path / "jwks.json"
    arguments = ["verify", "--audience", AUDIENCE, "--jwks", str(path)]
    refused(on_stdin(signer.sign(), *arguments), 3, "No such file")
    for text, word in (("{", "not JSON"), ("{\"keys\":[]}", "empty"), ("[]", "not an object")):
        path.write_text(text)
        refused(on_stdin(signer.sign(), *arguments), 3, str(path), word)
    path.write_text(json.dumps(signer.jwk | {"d": "AA"}))
    refused(on_stdin(signer.sign(), *arguments), 3, "private or secret key", hint="replace the key")


def test_a_certificate_verifies(signer):
    arguments = ["verify", "--certificate", str(signer.certificate), "--audience", AUDIENCE]
    thumbprint = signer.client.thumbprint("x5t#S256")
    assert on_stdin(signer.sign(header={"x5t#S256": thumbprint}), *arguments).status == 0
    said_no(on_stdin(signer.sign(header={"x5t#S256": "AAAA"}), *arguments), "x5t#S256", thumbprint)


def test_an_assertion_of_keystay_is_good(keystay, main_folder):
    result = keystay.assertion()
    endpoint = f"{keystay.server.url}/{TENANT}/oauth2/v2.0/token"
    arguments = ["verify", "--certificate", main_folder.file("cert.pem"), "--audience", endpoint]
    assert on_stdin(result.out, *arguments).out == "yes: signature (PS256), times, audience\n"


# ---- the issuer's own keys

def issuer_of(server, version=2):
    return f"{server.url}/{TENANT}/" + ("v2.0" if version == 2 else "")


def from_issuer(server, token, *arguments, issuer=None, cacert=True, env=None):
    trust = ["--cacert", server.cacert] if cacert else []
    return on_stdin(token, "verify", "--issuer", issuer or issuer_of(server), "--audience", RESOURCE, *trust, *arguments,
                    env=env)


def test_the_issuers_own_keys(keystay, server):
    token = keystay.token().token
    result = from_issuer(server, token, "--verbose")
    assert result.out == "yes: signature (RS256), times, issuer, audience\n"
    assert "/.well-known/openid-configuration" in result.err and "/discovery/v2.0/keys" in result.err


def test_the_ca_may_come_from_the_environment(keystay, server):
    token = keystay.token().token
    assert from_issuer(server, token, cacert=False, env={"KEYSTAY_CACERT": str(server.cacert)}).status == 0


def test_any_tenant(keystay, server):
    token = keystay.token().token
    assert from_issuer(server, token, issuer=f"{server.url}/{{tenantid}}/v2.0").status == 0


def test_a_v1_token_is_of_another_issuer(keystay, server):
    token = keystay.token(scope=None, resource=RESOURCE).token
    said_no(from_issuer(server, token), "issuer (iss)", issuer_of(server, 1))


def test_an_issuer_that_is_not_trusted(keystay, server):
    refused(from_issuer(server, keystay.token().token, cacert=False), 5, "certificate")


def test_an_issuer_that_is_not_there(signer):
    token = signer.sign(iss="https://127.0.0.1:1/x")
    refused(on_stdin(token, "verify", "--issuer", "https://127.0.0.1:1/x", "--audience", AUDIENCE), 5, "127.0.0.1")


def test_an_issuer_without_metadata(server, signer):
    issuer = f"{server.url}/nothing/here"
    refused(from_issuer(server, signer.sign(iss=issuer), issuer=issuer), 6, "no metadata", "404")


def test_an_issuer_in_the_clear_is_not_asked(signer):
    token = signer.sign(iss="http://as.example")
    refused(on_stdin(token, "verify", "--issuer", "http://as.example", "--audience", AUDIENCE), 3, "https")


def test_a_token_of_another_key(keystay, server, signer):
    """The issuer's name alone makes no token."""
    token = signer.sign(iss=issuer_of(server), aud=RESOURCE)
    said_no(from_issuer(server, token), "kid 'key-1'")
