# SPDX-License-Identifier: Apache-2.0
"""keystay doctor, end to end: what is wrong shows at its step with the fix beside it, and nothing that is a secret."""

import datetime
import json
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

import cli
from cli import CLIENT, TENANT, Keystay
from harness import AuthServer

SERVER_STEPS = ["proxy", "dns", "connection", "tls", "clock", "metadata", "assertion", "access-token"]


def doctor(keystay, **changes):
    """Exit status and findings: step -> (level, message, hint), the last of several."""
    extra = ["--format", "json", *changes.pop("extra", [])]
    result = keystay.token("doctor", extra=extra, **changes)
    assert "eyJ" not in result.out, result  # neither assertion nor token
    report = json.loads(result.out)
    assert report["exit_status"] == result.status, result
    return result.status, {row["step"]: (row["level"], row["message"], row.get("hint", ""))
                           for row in report["findings"]}


def levels(findings, *steps):
    return [findings[step][0] for step in steps]


def failed(findings):
    return [step for step, finding in findings.items() if finding[0] == "fail"]


def test_all_is_fine(keystay, server, main_folder):
    status, findings = doctor(keystay)
    assert status == 0 and {level for level, *_ in findings.values()} == {"ok"}, findings
    assert server.url in findings["server"][1]
    assert "no look-up" in findings["dns"][1] and str(server.port) in findings["connection"][1]
    assert "'CN=localhost', issued by 'CN=keystay test CA" in findings["tls"][1]
    assert "claims: aud iss sub jti nbf iat exp" in findings["assertion"][1]
    assert "the server gave one" in findings["access-token"][1] and "thrown away" in findings["access-token"][1]
    assert [entry["outcome"]["status"] for entry in server.log()] == [200]


def test_one_signature_and_one_request(keystay, server):
    result = keystay.token("doctor", shim="")
    assert result.status == 0 and result.calls["C_Sign"] == 1 and len(server.log()) == 1


def test_a_line_for_each_step_in_text(keystay):
    result = keystay.token("doctor")
    assert result.status == 0 and result.err == "", result
    assert all(line.startswith("ok         ") for line in result.out.splitlines()), result.out
    assert [line[11:25].strip() for line in result.out.splitlines()][-len(SERVER_STEPS):] == SERVER_STEPS


def test_offline_nobody_is_asked(keystay, server):
    status, findings = doctor(keystay, extra=["--offline"], authority="https://nobody.invalid")
    assert status == 0 and findings["assertion"][0] == "ok", findings
    skipped = [step for step in SERVER_STEPS if step != "assertion"]
    assert set(levels(findings, *skipped)) == {"not-tried"} and "--offline" in findings["dns"][1]
    assert server.log() == []


def test_a_ca_of_somebody_else(keystay, server, main_folder):
    status, findings = doctor(keystay, cacert=main_folder.file("cert.pem"))
    assert status == 5 and failed(findings) == ["tls"], findings
    _, message, hint = findings["tls"]
    assert "issued by 'CN=keystay test CA" in message and "--cacert" in hint
    assert levels(findings, "connection", "clock", "metadata", "assertion", "access-token") == [
        "ok", "not-tried", "not-tried", "ok", "not-tried"]
    assert server.log() == []


def test_a_certificate_for_another_name(keystay, main_folder, tmp_path):
    options = ["--listen=127.0.0.2:0"]
    with AuthServer(tmp_path / "other", [TENANT], {CLIENT: [main_folder.file("cert.pem")]}, options=options) as other:
        status, findings = doctor(keystay, authority=other.url, cacert=other.cacert)
    assert status == 5 and failed(findings) == ["tls"] and "127.0.0.2" in findings["tls"][1]


def server_certificate(path, days):
    """A certificate for 127.0.0.1 that is its own CA, valid between these days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "untimely")])
    now = datetime.datetime.utcnow()
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days[0])).not_valid_after(now + datetime.timedelta(days[1]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(key, hashes.SHA256()))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
    return str(path)


class Listener:
    """Answers each connection with a function, in a thread, until the test is over."""

    def __init__(self, answer):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port, self._answer = self._socket.getsockname()[1], answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                with self._socket.accept()[0] as connection:
                    connection.settimeout(10)
                    self._answer(connection)
            except ssl.SSLError:
                pass  # who does not trust it says so
            except OSError:
                if self._socket.fileno() < 0:
                    return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.mark.parametrize("days, hint", [((-30, -1), "has to renew it"), ((1, 30), "clock right")],
                         ids=["over", "to come"])
def test_a_server_certificate_out_of_its_time(keystay, tmp_path, days, hint):
    path = server_certificate(tmp_path / "server.pem", days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    heard = []

    def answer(connection):
        with context.wrap_socket(connection, server_side=True) as tls:
            heard.append(tls.recv(4096))

    with Listener(answer) as listener:
        status, findings = doctor(keystay, authority=f"https://127.0.0.1:{listener.port}", cacert=path)
    assert status == 5 and failed(findings) == ["tls"], findings
    assert "'CN=untimely'" in findings["tls"][1] and hint in findings["tls"][2]
    assert not any(heard)  # the second look sends nothing


def test_nobody_listens(keystay):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        status, findings = doctor(keystay, authority=f"https://127.0.0.1:{bound.getsockname()[1]}")
    assert status == 5 and failed(findings) == ["connection"], findings
    assert levels(findings, "dns", "tls", "clock", "metadata", "access-token") == ["ok"] + 4 * ["not-tried"]


def test_no_such_host(keystay):
    """A label of 64 characters cannot be in the DNS, so that no name server is asked."""
    status, findings = doctor(keystay, authority=f"https://{'a' * 64}.invalid")
    assert status == 5 and failed(findings) == ["dns"] and "name" in findings["dns"][2], findings
    assert levels(findings, "connection", "tls", "access-token") == 3 * ["not-tried"]


def test_the_proxy_is_told_without_its_password(keystay, server):
    def refuse(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with Listener(refuse) as proxy:
        env = {"no_proxy": None, "HTTPS_PROXY": f"http://me:hunter2@127.0.0.1:{proxy.port}"}
        result = keystay.token("doctor", env=env)
        status, findings = doctor(keystay, env=env)
    assert f"through http://127.0.0.1:{proxy.port}/, as HTTPS_PROXY says" in findings["proxy"][1], findings
    assert status == result.status == 5 and failed(findings) == ["connection"] and "403" in findings["connection"][1]
    assert "hunter2" not in result.out + result.err and server.log() == []


def test_a_proxy_that_is_not_for_this_server(keystay):
    status, findings = doctor(keystay, env={"no_proxy": "127.0.0.1", "HTTPS_PROXY": "http://127.0.0.1:9"})
    assert status == 0 and "NO_PROXY is '127.0.0.1'" in findings["proxy"][1], findings


@pytest.fixture
def at_another_time(main_folder, tmp_path):
    """The program with a server whose clock is so many seconds fast."""
    servers = []

    def start(offset_s):
        servers.append(AuthServer(tmp_path / "clock", [TENANT], {CLIENT: [main_folder.file("cert.pem")]},
                                  options=[f"--clock-offset={offset_s}"]))
        return Keystay(main_folder, servers[-1], tmp_path / "calls")

    yield start
    for server in servers:
        server.stop()


@pytest.mark.parametrize("offset_s, words", [(120, "s behind the server's"), (-150, "s ahead of the server's")])
def test_a_clock_that_is_a_little_off(at_another_time, offset_s, words):
    status, findings = doctor(at_another_time(offset_s))
    level, message, hint = findings["clock"]
    assert (status, level) == (0, "warn") and words in message and "timedatectl" in hint, findings
    assert findings["access-token"][0] == "ok"


@pytest.mark.parametrize("offset_s, words", [(10000, "is over before it arrives"), (-10000, "still to come")])
def test_a_clock_that_is_far_off(at_another_time, offset_s, words):
    keystay = at_another_time(offset_s)
    status, findings = doctor(keystay)
    assert status == 6 and failed(findings) == ["clock"] and words in findings["clock"][1], findings
    assert findings["access-token"][0] == "not-tried" and keystay.server.log() == []


def test_a_certificate_that_the_server_does_not_know(keystay):
    status, findings = doctor(keystay, client_id=cli.OTHER_CLIENT)
    level, message, hint = findings["access-token"]
    assert (status, level) == (6, "fail") and "AADSTS700027" in message and "upload this certificate" in hint
    text = keystay.token("doctor", client_id=cli.OTHER_CLIENT)
    assert text.status == 6 and "trace id: " in text.out and "see above" in text.err


def test_a_server_in_trouble(keystay, server):
    server.script([{"status": 503, "repeat": 4}])
    status, findings = doctor(keystay, timeout=5)
    assert status == 5 and failed(findings) == ["access-token"] and "503" in findings["access-token"][1], findings


def test_a_certificate_that_is_over(at, make_folder, server):
    """The rest of the way is looked at all the same."""
    keystay = at(make_folder("doctor over", "--days", "-1", "--subject", "CN=over"))
    status, findings = doctor(keystay)
    assert status == 3 and failed(findings) == ["certificate"] and "'CN=over' expired" in findings["certificate"][1]
    assert levels(findings, "module", "token", "tls", "clock") == 4 * ["ok"]
    assert levels(findings, "assertion", "access-token") == 2 * ["not-tried"] and server.log() == []


def test_a_certificate_that_ends_soon(at, make_folder):
    keystay = at(make_folder("doctor soon", "--days", "9"))
    result = keystay.token("doctor", extra=["--offline"])
    assert result.status == 0 and result.err == "", result
    assert "warn       certificate" in result.out and "register a new certificate" in result.out


def test_without_a_scope_no_token_is_asked_for(keystay, server):
    status, findings = doctor(keystay, scope=None)
    assert status == 0 and findings["access-token"][0] == "warn" and "--scope" in str(findings["access-token"])
    assert findings["assertion"][0] == "ok" and server.log() == []


def test_settings_of_the_server_that_are_wrong(keystay):
    status, findings = doctor(keystay, tenant=None)
    assert status == 3 and failed(findings) == ["server"] and "tenant" in findings["server"][1], findings
    assert set(levels(findings, *SERVER_STEPS)) == {"not-tried"}
    assert findings["key"][0] == "ok"


def with_metadata(keystay, **changes):
    options = {"provider": "oidc", "authority": None, "tenant": None, "audience": "token-endpoint",
               "thumbprint": "sha256", "issuer": f"{keystay.server.url}/{TENANT}/v2.0"}
    return doctor(keystay, **(options | changes))


def test_an_issuer_with_metadata(keystay, server):
    status, findings = with_metadata(keystay)
    assert status == 0 and f"{server.url}/{TENANT}/oauth2/v2.0/token" in findings["metadata"][1], findings
    assert findings["access-token"][0] == "ok"


def test_an_issuer_without_metadata(keystay, server):
    """Nothing is signed for a server that does not say who it is."""
    status, findings = with_metadata(keystay, issuer=f"{server.url}/nothing/here")
    assert status == 6 and failed(findings) == ["metadata"], findings
    assert levels(findings, "assertion", "access-token") == 2 * ["not-tried"]


def test_offline_an_issuer_cannot_be_asked(keystay):
    status, findings = with_metadata(keystay, extra=["--offline"])
    assert status == 0 and findings["assertion"][0] == "not-tried", findings
