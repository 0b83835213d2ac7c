# SPDX-License-Identifier: Apache-2.0
"""A server in trouble: what is tried again and what is not, how long is waited, what is said."""

import email.utils
import json
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import pytest

import cli
from cli import CLIENT, DOMAIN, TENANT, refused
from harness import AuthServer
from terminal import Terminal

SECONDS = 15  # about, for parts that take equally long
ATTEMPTS = 4


@pytest.fixture
def runtime():
    path = tempfile.mkdtemp(dir="/dev/shm", prefix="keystay-e2e-")
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize("step", [
    {"status": 408}, {"status": 429}, {"status": 500}, {"status": 502}, {"status": 503}, {"status": 599},
    {"status": 200, "close": "before_headers"}, {"status": 200, "body": "{}" * 9, "close": "mid_body"},
], ids=lambda step: str(step.get("close") or step["status"]))
def test_what_passes_is_tried_again_with_the_same_signature(keystay, server, step):
    """One signature, since Entra takes an assertion more than once; each request has an id of its own."""
    server.script([step | {"repeat": ATTEMPTS - 1}])
    result = keystay.token(shim="", extra=["--verbose"])
    assert result.token and result.calls["C_Sign"] == 1
    log = server.log()
    assert len(log) == ATTEMPTS
    assert len({entry["headers"]["client-request-id"] for entry in log}) == ATTEMPTS
    assert len({dict(entry["form"])["client_assertion"] for entry in log}) == 1
    assert result.err.count("another attempt in") + result.err.count("before the next attempt") == ATTEMPTS - 1


def test_an_assertion_that_arrived_although_no_answer_came_is_signed_anew(keystay, server):
    """The server has seen it, takes no assertion twice, and says so; then it gets another."""
    server.script([{"close": "before_headers"}])
    result = keystay.token(shim="")
    assert result.token and result.calls["C_Sign"] == 2
    first, second, third = server.log()
    assert "jti was used before" in second["outcome"]["error_description"]
    forms = [dict(entry["form"])["client_assertion"] for entry in (first, second, third)]
    assert forms[0] == forms[1] != forms[2]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 451, 499])
def test_every_other_refusal_is_final(keystay, server, status):
    server.script([{"status": status, "body": '{"error": "invalid_request"}'}])
    refused(keystay.token(), 6, f"HTTP {status}")
    assert len(server.log()) == 1


def test_it_gives_up_after_some_attempts(keystay, server):
    server.script([{"status": 503, "repeat": ATTEMPTS}])
    refused(keystay.token(), 5, "HTTP 503")
    assert len(server.log()) == ATTEMPTS


def test_it_gives_up_when_the_time_is_over(keystay, server):
    server.script([{"status": 503, "delay_ms": 1700, "repeat": ATTEMPTS}])
    result = keystay.token(timeout=2)
    assert result.status == 5 and len(server.log()) <= 2


@pytest.mark.parametrize("status", [429, 503])
def test_seconds_are_waited(keystay, server, status):
    server.script([{"status": status, "headers": {"Retry-After": "2"}}])
    result = keystay.token(extra=["--verbose"])
    assert result.token and 1 <= result.seconds < 20
    assert "waiting" in result.err and "asks" in result.err and len(server.log()) == 2


def test_a_date_is_waited_for_by_the_servers_clock(at, main_folder, tmp_path):
    """The server's clock is fast by an hour: it is its own dates that are compared."""
    clients = {CLIENT: [main_folder.file("cert.pem")]}
    with AuthServer(tmp_path, [f"{TENANT}={DOMAIN}"], clients) as other:
        date, later = (email.utils.formatdate(time.time() + 3600 + s, usegmt=True) for s in (0, 2))
        other.script([{"status": 503, "headers": {"Date": date, "Retry-After": later}}])
        result = at(main_folder).token(authority=other.url, cacert=other.cacert)
        assert result.token and 1 <= result.seconds < 20 and len(other.log()) == 2


def test_nothing_is_said_where_nobody_watches(keystay, server):
    server.script([{"status": 429, "headers": {"Retry-After": "1"}}])
    assert keystay.token().err == ""


@pytest.mark.parametrize("status", [429, 503])
def test_what_takes_too_long_is_not_waited_for(keystay, server, status):
    server.script([{"status": status, "headers": {"Retry-After": "120"}}])
    result = keystay.token(timeout=40, extra=["--error-format", "json"])
    error = json.loads(result.err)
    assert (result.status, error["status"], error["http_status"]) == (5, "throttled", status)
    assert result.seconds < 30 and len(server.log()) == 1
    assert "left alone until 20" in error["message"]
    assert error["correlation_id"] == server.log()[0]["headers"]["client-request-id"]


@pytest.mark.parametrize("value", ["", "-5", "soon", "1e3", "2; 3", "99999999999999999999", "Thu, 99 Foo 2026 x"])
def test_a_value_that_makes_no_sense_is_none(keystay, server, value):
    server.script([{"status": 429, "headers": {"Retry-After": value}}])
    result = keystay.token()
    assert result.token and result.seconds < 20


def test_other_processes_leave_the_server_alone_too(keystay, server, runtime):
    env = {"XDG_RUNTIME_DIR": runtime}
    server.script([{"status": 429, "headers": {"Retry-After": "60"}}])
    refused(keystay.token(env=env), 5, "left alone until")
    scope = "https://other.example/.default"
    second = keystay.token(env=env, scope=scope, shim="")
    refused(second, 5, "left alone until", hint="--timeout")
    assert not second.calls["C_Sign"] and len(server.log()) == 1
    assert keystay.token(env=env, cache="none").token  # who has no cache does not know


def test_a_wait_that_another_process_was_asked_for_is_waited(keystay, server, runtime):
    env = {"XDG_RUNTIME_DIR": runtime}
    server.script([{"status": 429, "headers": {"Retry-After": "7"}}])
    refused(keystay.token(env=env, timeout=5), 5, "left alone until")
    result = keystay.token(env=env)
    assert result.token and 1 < result.seconds < 30


@pytest.mark.parametrize("offset_s", [600, -600, 3000, -3000])
def test_clocks_that_differ_by_minutes(at, main_folder, tmp_path, offset_s):
    """Signed once more with the server's time, and said."""
    clients = {CLIENT: [main_folder.file("cert.pem")]}
    options = [f"--clock-offset={offset_s}"]
    with AuthServer(tmp_path, [f"{TENANT}={DOMAIN}"], clients, options=options) as other:
        result = at(main_folder).token(authority=other.url, cacert=other.cacert, shim="")
        log = other.log()
    assert result.token and result.calls["C_Sign"] == 2 and len(log) == 2
    assert "warning: this machine's clock is" in result.err
    assert ("behind" if offset_s > 0 else "ahead of") in result.err
    assert abs(log[1]["assertion"]["claims"]["iat"] - (time.time() + offset_s)) < 60


def test_a_refusal_for_other_reasons_is_not_signed_again(keystay, server):
    body = json.dumps({"error": "invalid_client", "error_codes": [700027]})
    server.script([{"status": 401, "body": body}])
    result = keystay.token(shim="")
    refused(result, 6, "invalid_client")
    assert result.calls["C_Sign"] == 1 and len(server.log()) == 1


def test_the_servers_text_says_how_far_the_clocks_are_apart(keystay, server):
    """Where a proxy takes the Date away; a text is for people, so nothing is signed again."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 900))
    body = json.dumps({"error": "invalid_client", "error_codes": [700024], "error_description":
                       "AADSTS700024: Client assertion is not within its valid time range. "
                       f"Current time: {stamp}.1234567Z, expiry time of assertion {stamp}.0000000Z."})
    server.script([{"status": 401, "body": body, "headers": {"Date": None}}])
    result = keystay.token(shim="")
    refused(result, 6, "AADSTS700024", hint="ahead of the server's")
    assert result.calls["C_Sign"] == 1 and len(server.log()) == 1


def test_the_id_of_a_request_that_got_no_answer_is_said(keystay, server):
    server.script([{"close": "before_headers", "repeat": ATTEMPTS}])
    result = keystay.token()
    refused(result, 5, f"correlation id: {server.log()[-1]['headers']['client-request-id']}")


def test_whoever_watches_is_told_of_a_wait(keystay, server, main_folder):
    """stderr on a terminal: the line is there before the wait is over."""
    server.script([{"status": 429, "headers": {"Retry-After": "2"}}])
    with Terminal(keystay.arguments(), keystay.environment(), stderr_too=True) as person:
        person.wait_for(lambda: b"waiting" in person.shown)
        status, out, _ = person.finish()
    assert status == 0 and out


@pytest.fixture
def ipv6_server(registered, tmp_path):
    with AuthServer(tmp_path, [f"{TENANT}={DOMAIN}"], registered, options=["--listen=[::1]:0"]) as server:
        yield server


def test_ipv6(keystay, ipv6_server):
    result = keystay.token(authority=ipv6_server.url, cacert=ipv6_server.cacert)
    assert ipv6_server.url.startswith("https://[::1]:") and result.token


class ConnectProxy:
    """A proxy that knows CONNECT alone, and says a few things on its own before the server does."""

    def __init__(self):
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.asked = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=[client], daemon=True).start()

    def _tunnel(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        target = head.split()[1].decode("ascii")
        self.asked.append(target)
        host, _, port = target.rpartition(":")
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 Go\r\nRetry-After: 3000\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n")
        threading.Thread(target=self._copy, args=[server, client], daemon=True).start()
        self._copy(client, server)

    @staticmethod
    def _copy(source, target):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    def close(self):
        self._listening.close()


@pytest.fixture
def proxy():
    proxy = ConnectProxy()
    yield proxy
    proxy.close()


def test_through_a_proxy_what_it_says_itself_is_not_the_servers(keystay, server, proxy):
    server.script([{"status": 503}])
    env = {"no_proxy": None, "HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
    result = keystay.token(env=env)
    assert result.token and result.err == "" and len(server.log()) == 2
    assert set(proxy.asked) == {server.url.removeprefix("https://")}


@pytest.mark.parametrize("exempt", ["127.0.0.1", "*", "127.0.0.0/8"])
def test_no_proxy_is_heeded(keystay, server, proxy, exempt):
    env = {"no_proxy": None, "NO_PROXY": exempt, "HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
    assert keystay.token(env=env).token and proxy.asked == []


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_a_server_that_knows_old_tls_only_is_refused(keystay, server, tmp_path, version):
    """What goes wrong first depends on the system's policy; that nothing is sent does not."""
    pair = tmp_path / "old.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2",
               "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "ca")]
    subprocess.run(command, check=True, capture_output=True)
    pair.write_text((tmp_path / "key").read_text() + (tmp_path / "ca").read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, version
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(pair)
    seen = []

    def serve(listening):
        while True:
            try:
                raw, _ = listening.accept()
                with context.wrap_socket(raw, server_side=True) as connection:
                    seen.append(connection.recv(10))
            except ssl.SSLError:
                continue
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=[listening], daemon=True).start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        refused(keystay.token(authority=url, cacert=str(tmp_path / "ca"), timeout=5), 5, "TLS")
    assert seen == []
