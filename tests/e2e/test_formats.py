# SPDX-License-Identifier: Apache-2.0
"""--format, as read by the programs that each form is for: a shell, curl, JSON, kubectl's protocol."""

import datetime
import json
import subprocess
import time

import pytest

import cli
import jws
from cli import TENANT, refused

EXEC_V1 = "client.authentication.k8s.io/v1"
# All that a header may hold and a token be made of; first what a shell or curl would take for its own.
ODD = "'\"\\$`!%n#&;|<>(){}[]*?~^=+/.,:-_@x'\\n\\\"" + "".join(chr(c) for c in range(0x21, 0x7F))


@pytest.fixture(params=["normal", "odd"])
def issued(request, keystay, server):
    """A function that asks for a token in a form: its result, and the token that the server issued."""
    def ask(form, **options):
        if request.param == "normal":
            result = keystay.token(extra=["--format", form], **options)
            return result, None
        body = {"token_type": "Bearer", "expires_in": 3600, "access_token": ODD}
        server.script([{"status": 200, "body": json.dumps(body), "headers": {"Content-Type": "application/json"}}])
        return keystay.token(extra=["--format", form], **options), ODD
    return ask


def is_right(token, expected):
    """The token that was issued; a normal one differs each time, but is a JWT."""
    return token == expected if expected else jws.parse(token).claims["tid"] == TENANT


def curl(server, *arguments, stdin):
    """What a request that curl made was sent with."""
    server.clear_log()
    server.script([{"status": 200, "body": "ok"}])
    command = ["curl", "--silent", "--show-error", "--fail", "--cacert", server.cacert, "--data", "x=1",
               *arguments, f"{server.url}/{TENANT}/oauth2/v2.0/token"]
    done = subprocess.run(command, input=stdin.encode("ascii"), capture_output=True, timeout=30,
                          env=cli.environment(), check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"ok", b"")
    [entry] = server.log()
    return entry["headers"]


def bearer(headers):
    scheme, _, token = headers["authorization"].partition(" ")
    assert scheme == "Bearer"
    return token


def test_raw(issued):
    result, expected = issued("raw")
    assert is_right(result.token, expected)


def test_json(issued):
    result, expected = issued("json")
    assert is_right(result.json["access_token"], expected)
    assert result.json["token_type"] == "Bearer"
    assert abs(result.json["expires_in"] - 3600) <= 60
    assert abs(result.json["expires_on"] - time.time() - 3600) <= 60


def test_curl_reads_its_config(issued, server):
    result, expected = issued("curl")
    assert is_right(bearer(curl(server, "--config", "-", stdin=result.out)), expected)


def test_curl_reads_the_header(issued, server):
    result, expected = issued("header")
    assert is_right(bearer(curl(server, "--header", "@-", stdin=result.out)), expected)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_evaluates_env(issued, shell):
    result, expected = issued("env")
    script = 'eval "$1"; printf %s "$KEYSTAY_ACCESS_TOKEN"'
    done = subprocess.run([shell, "-euc", script, shell, result.out], capture_output=True, timeout=30,
                          env=cli.environment(), check=True)
    assert done.stderr == b"" and is_right(done.stdout.decode("ascii"), expected)


def test_env_exports_nothing(issued):
    result, _ = issued("env")
    done = subprocess.run(["sh", "-euc", 'eval "$1"; env', "sh", result.out], capture_output=True, timeout=30,
                          env=cli.environment(), check=True)
    assert b"KEYSTAY_ACCESS_TOKEN" not in done.stdout


@pytest.mark.parametrize("asked", [None, EXEC_V1, f"{EXEC_V1}beta1"])
def test_kubectl_gets_a_credential_of_its_version(issued, asked):
    info = {"apiVersion": asked, "kind": "ExecCredential", "spec": {"interactive": False}}
    result, expected = issued("exec-credential", env=asked and {"KUBERNETES_EXEC_INFO": json.dumps(info)})
    credential = result.json
    assert (credential["apiVersion"], credential["kind"]) == (asked or EXEC_V1, "ExecCredential")
    assert set(credential["status"]) == {"token", "expirationTimestamp"}
    assert is_right(credential["status"]["token"], expected)
    end = datetime.datetime.strptime(credential["status"]["expirationTimestamp"], "%Y-%m-%dT%H:%M:%S%z")
    assert abs(end.timestamp() - time.time() - 3600) <= 60


@pytest.mark.parametrize("info", ["", "[]", "{", json.dumps({"apiVersion": f"{EXEC_V1}alpha1"})])
def test_another_version_is_refused_before_anything_is_signed(keystay, server, info):
    result = keystay.token(extra=["--format", "exec-credential"], env={"KUBERNETES_EXEC_INFO": info}, shim="")
    refused(result, 3, "KUBERNETES_EXEC_INFO")
    assert not result.calls and not server.log()


def test_the_other_forms_do_not_ask_kubectl(keystay):
    assert keystay.token(env={"KUBERNETES_EXEC_INFO": "{"}).token


def test_an_unknown_form_is_refused(keystay):
    refused(keystay.token(extra=["--format", "yaml"]), 2, "--format must be one of", "exec-credential")


def short_lived(server, lifetime_s=600):
    body = {"token_type": "Bearer", "expires_in": lifetime_s, "access_token": "short"}
    server.script([{"status": 200, "body": json.dumps(body), "headers": {"Content-Type": "application/json"}}])


def test_a_token_that_ends_too_soon_is_told_of(keystay, server):
    short_lived(server)
    result = keystay.token(min_valid=900)
    assert result.token == "short"
    assert "sooner than --min-valid 900" in result.err


def test_a_token_that_lives_long_enough_is_not(keystay, server):
    short_lived(server)
    result = keystay.token(min_valid=300)
    assert (result.token, result.err) == ("short", "")


def test_who_asked_for_no_time_is_not_bothered(keystay, server):
    """Servers with lives of five minutes are no exception; the default is for the cache."""
    short_lived(server, 60)
    result = keystay.token()
    assert (result.token, result.err) == ("short", "")


def test_the_configuration_asks_too(keystay, server):
    short_lived(server, 60)
    assert "sooner than --min-valid 120" in keystay.token(env={"KEYSTAY_MIN_VALID": "120"}).err
