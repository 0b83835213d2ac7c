# SPDX-License-Identifier: Apache-2.0
"""Microsoft's own libraries: azure-identity, and MSAL for node and for Python.

They send what `keystay assertion` printed; and what MSAL writes when it holds a key itself is laid beside what
keystay writes. The server is that of tests/server, which is stricter than Entra.
"""

import json
import os
import re
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import jws
import signed
from cli import CLIENT, DOMAIN, OTHER_CLIENT, RESOURCE, SCOPE, TENANT, Keystay, environment
from harness import AuthServer
from softkey import SoftClient, certificate, rsa_key

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "azure.mjs")
PATIENCE_S = 60
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def soft():
    """A client whose key is MSAL's to use."""
    key = rsa_key()
    return SoftClient(OTHER_CLIENT, key, certificate(key))


@pytest.fixture(scope="module")
def clients(rsa_folder, soft, tmp_path_factory):
    path = tmp_path_factory.mktemp("soft") / "cert.pem"
    path.write_bytes(soft.pem())
    return {CLIENT: [rsa_folder.file("cert.pem")], OTHER_CLIENT: [path]}


@pytest.fixture(scope="module")
def entra(clients, tmp_path_factory):
    with AuthServer(tmp_path_factory.mktemp("entra"), [f"{TENANT}={DOMAIN}"], clients) as running:
        yield running


@pytest.fixture
def server(entra):
    entra.clear_log()
    return entra


@pytest.fixture
def later(clients, tmp_path):
    """A server for whom what was signed now has ended an hour ago."""
    with AuthServer(tmp_path, [TENANT], clients, options=["--clock-offset=4200"]) as running:
        yield running


@pytest.fixture
def keystay(rsa_folder, tmp_path):
    """keystay(server).assertion()"""
    return lambda server: Keystay(rsa_folder, server, tmp_path / "calls")


@pytest.fixture
def node(node_modules, tmp_path):
    """node(server, "file", env=..., **config): what azure.mjs says, a dictionary."""
    def ask(server, way, client=CLIENT, env=None, **config):
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"way": way, "scope": SCOPE} | config), encoding="utf-8")
        variables = {"NODE_EXTRA_CA_CERTS": server.cacert, "AZURE_AUTHORITY_HOST": server.url,
                     "AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": client} | (env or {})
        done = subprocess.run(["node", SCRIPT, node_modules, path], env=environment(variables), check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=PATIENCE_S)
        return json.loads(done.stdout)
    return ask


@pytest.fixture
def workload(node, tmp_path):
    """WorkloadIdentityCredential with this assertion in its file."""
    def ask(server, assertion, **options):
        path = tmp_path / "assertion"
        path.write_text(f"{assertion}\n", encoding="ascii")
        return node(server, "file", env={"AZURE_FEDERATED_TOKEN_FILE": str(path)}, **options)
    return ask


@pytest.fixture
def python(monkeypatch):
    """python(server, client_credential): what MSAL for Python answers, a dictionary."""
    msal = pytest.importorskip("msal")

    def ask(server, credential, client=CLIENT):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.cacert)
        monkeypatch.setenv("no_proxy", "*")
        application = msal.ConfidentialClientApplication(
            client, client_credential=credential, authority=f"{server.url}/{TENANT}", instance_discovery=False)
        return application.acquire_token_for_client([SCOPE])
    return ask


def sent(server):
    """The one assertion that reached the token endpoint, and the status that it met."""
    [entry] = server.log()
    return dict(entry["form"])["client_assertion"], entry["outcome"]["status"]


def granted(server, token, client=CLIENT):
    """The token is the server's, for this client; and the assertion that it was given for."""
    claims = jws.parse(token).claims
    assert (claims["iss"], claims["azp"], claims["aud"]) == (f"{server.url}/{TENANT}/v2.0", client, RESOURCE)
    assertion, status = sent(server)
    assert status == 200
    return assertion


def soft_key(soft):
    return soft.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def hex_thumbprint(soft, name):
    return jws.b64url_decode(soft.thumbprint(name)).hex()


def test_workload_identity(server, keystay, workload):
    assertion = keystay(server).assertion().token
    assert granted(server, workload(server, assertion)["token"]) == assertion


def test_workload_identity_with_a_key_that_is_not_the_clients(server, keystay, workload):
    assertion = keystay(server).assertion(client_id=OTHER_CLIENT).token
    assert "AADSTS700027: " in workload(server, assertion, client=OTHER_CLIENT)["error"]
    assert sent(server) == (assertion, 401)


def test_workload_identity_with_an_assertion_that_has_ended(later, keystay, workload):
    assertion = keystay(later).assertion().token
    assert "AADSTS700024: " in workload(later, assertion)["error"]
    assert sent(later) == (assertion, 401)


def test_client_assertion_credential(server, keystay, node):
    """The program is the callback."""
    program = keystay(server)
    command = [os.environ["KEYSTAY"], *program.arguments("assertion")]
    answer = node(server, "command", command=command, env=program.environment())
    signed.read(granted(server, answer["token"]), program.folder.certificate())


def test_client_assertion_credential_hands_on_what_the_program_says(server, keystay, node):
    program = keystay(server)
    command = [os.environ["KEYSTAY"], *program.arguments("assertion", key="pkcs11:object=other")]
    assert "no such private key" in node(server, "command", command=command, env=program.environment())["error"]
    assert server.log() == []


def test_msal_for_python(server, keystay, python):
    assertion = keystay(server).assertion().token
    assert granted(server, python(server, {"client_assertion": assertion})["access_token"]) == assertion


def test_msal_for_python_with_a_key_that_is_not_the_clients(server, keystay, python):
    assertion = keystay(server).assertion(client_id=OTHER_CLIENT).token
    answer = python(server, {"client_assertion": assertion}, OTHER_CLIENT)
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [700027])


def test_msal_for_python_with_an_assertion_that_has_ended(later, keystay, python):
    answer = python(later, {"client_assertion": keystay(later).assertion().token})
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [700024])


def forms(assertion, cert, client):
    """What is in an assertion, once its signature was verified: values of this one alone are told by their form."""
    header, claims = signed.read(assertion, cert)
    told = {signed.sha1(cert): "SHA-1", f"{signed.sha1(cert)}=": "SHA-1, padded", signed.sha256(cert): "SHA-256",
            client: "client"}
    found = {name: told.get(value, value) for name, value in (header | claims).items()}
    found |= {name: type(claims[name]).__name__ for name in ("iat", "nbf", "exp") if name in claims}
    found["lifetime_s"] = round(claims["exp"] - claims.get("nbf", claims["iat"]))
    if UUID4.fullmatch(claims["jti"]):
        found["jti"] = "UUID"
    return found


def differences(ours, theirs):
    return {name: (ours.get(name), theirs.get(name)) for name in ours | theirs if ours.get(name) != theirs.get(name)}


@pytest.mark.parametrize("member, name, alg, thumbprint", [
    ("thumbprintSha256", "x5t#S256", "PS256", "sha256"),
    ("thumbprint", "x5t", "RS256", "sha1"),
])
def test_what_msal_for_node_writes(server, keystay, node, soft, member, name, alg, thumbprint):
    """Member for member, and in every form, what keystay writes with the same algorithm and thumbprint; but for this:

    nbf  is rounded to the nearest second, so half of them begin after they were made: iat, rounded down, is a second
         before. keystay's are one number, never ahead of the clock.
    """
    credential = {member: hex_thumbprint(soft, name), "privateKey": soft_key(soft)}
    answer = node(server, "certificate", client=OTHER_CLIENT, certificate=credential)
    theirs = granted(server, answer["token"], OTHER_CLIENT)
    program = keystay(server)
    ours = program.assertion(alg=alg, thumbprint=thumbprint).token
    found = differences(forms(ours, program.folder.certificate(), CLIENT), forms(theirs, soft.cert, OTHER_CLIENT))
    assert found == {}
    claims = jws.parse(theirs).claims
    assert claims["nbf"] - claims["iat"] in (0, 1)


def test_what_msal_for_python_writes(server, keystay, python, soft):
    """It differs from what keystay writes, and the strict server refuses it (Entra does not):

    x5t       ends in the padding that RFC 7515 §2 leaves out: for this the server does not find the key
    iat, exp  with a fraction of a second: RFC 7519 §2 allows that, but not every server reads it
    nbf       left out: optional in RFC 7523 §3, but Microsoft's description of the assertion has it
    """
    credential = {"private_key": soft_key(soft), "thumbprint": hex_thumbprint(soft, "x5t")}
    assert python(server, credential, OTHER_CLIENT)["error_codes"] == [700027]
    program = keystay(server)
    ours = program.assertion(alg="RS256", thumbprint="sha1").token
    theirs, _ = sent(server)
    found = differences(forms(ours, program.folder.certificate(), CLIENT), forms(theirs, soft.cert, OTHER_CLIENT))
    assert found == {
        "x5t": ("SHA-1", "SHA-1, padded"),
        "iat": ("int", "float"),
        "exp": ("int", "float"),
        "nbf": ("int", None),
    }
