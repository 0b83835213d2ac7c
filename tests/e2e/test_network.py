# SPDX-License-Identifier: Apache-2.0
"""Between the program and the server: names, connections, TLS, time."""

import socket

import pytest

from cli import CLIENT, TENANT, refused
from harness import AuthServer

LONG_MS = 60000


@pytest.fixture
def unused_port():
    """A port that nobody listens on: bound, so that nobody else gets it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def silent_port():
    """A server that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_nobody_listens(keystay, unused_port):
    result = keystay.token(authority=f"https://127.0.0.1:{unused_port}", timeout=30)
    refused(result, 5, f"https://127.0.0.1:{unused_port}/", "no connection", hint="network")
    assert result.seconds < 20  # four attempts, with pauses of 1.75 s at most


def test_no_such_host(keystay):
    """A label of 64 characters cannot be in the DNS, so that no name server is asked."""
    host = f"{'a' * 64}.invalid"
    refused(keystay.token(authority=f"https://{host}", timeout=5), 5, host, "no such host", hint="name")


def test_the_servers_certificate_is_not_trusted(keystay, server):
    refused(keystay.token(cacert=None), 5, server.url, "not trusted", hint="--cacert")
    assert server.log() == []


def test_a_ca_of_somebody_else(keystay, server, main_folder):
    refused(keystay.token(cacert=main_folder.file("cert.pem")), 5, "not trusted", hint="--cacert")
    assert server.log() == []


def test_a_ca_file_without_a_certificate(keystay, server, main_folder):
    path = main_folder.write("no-ca.pem", "nothing\n")
    refused(keystay.token(cacert=path), 3, "CA file", hint="CA certificates")
    assert server.log() == []


def test_a_certificate_for_another_name(keystay, main_folder, tmp_path):
    """127.0.0.2 is loopback as well, but the server's certificate does not have it."""
    options = ["--listen=127.0.0.2:0"]
    with AuthServer(tmp_path, [TENANT], {CLIENT: [main_folder.file("cert.pem")]}, options=options) as other:
        refused(keystay.token(authority=other.url, cacert=other.cacert), 5, "not trusted", "127.0.0.2")


def test_no_tls_at_all(keystay, silent_port):
    result = keystay.token(authority=f"https://127.0.0.1:{silent_port}", timeout=1)
    refused(result, 5, "no answer in time", hint="--timeout")
    assert result.seconds < 20


@pytest.mark.parametrize("step", [
    {"delay_ms": LONG_MS},
    {"status": 200, "body": "{" + " " * 100 + "}", "stall_body_ms": LONG_MS},
], ids=["before the answer", "in its middle"])
def test_a_server_that_stalls(keystay, server, step):
    server.script([step])
    result = keystay.token(timeout=2)
    refused(result, 5, server.url, "no answer in time", hint="--timeout")
    assert 2 <= result.seconds < 30


def test_an_endless_answer_is_cut_off(keystay, server):
    server.script([{"status": 200, "body": "x" * 1000, "chunk_endless": True}])
    result = keystay.token(timeout=40)
    refused(result, 6, "longer than")
    assert result.seconds < 30


def test_an_answer_over_the_cap(keystay, server):
    body = '{"access_token": "' + "a" * (3 << 20) + '"}'
    server.script([{"status": 200, "body": body}])
    refused(keystay.token(), 6, "longer than")


@pytest.mark.parametrize("close, words", [
    ("before_headers", "without an answer"), ("mid_body", "failed")])
def test_a_connection_that_is_closed(keystay, server, close, words):
    server.script([{"status": 200, "body": "{}" * 50, "close": close, "repeat": 4}])
    refused(keystay.token(), 5, server.url, words)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(keystay, server, status):
    target = f"{server.url}/{TENANT}/oauth2/v2.0/token"
    server.script([{"status": status, "headers": {"Location": target}}])
    refused(keystay.token(), 6, f"HTTP {status}", hint="no redirect")
    assert len(server.log()) == 1


def test_a_proxy_of_the_environment_is_used(keystay, server, unused_port):
    env = {"no_proxy": None, "HTTPS_PROXY": f"http://127.0.0.1:{unused_port}"}
    refused(keystay.token(env=env, timeout=5), 5, "no connection", hint="HTTPS_PROXY")
    assert server.log() == []
