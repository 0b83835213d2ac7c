# SPDX-License-Identifier: Apache-2.0
"""docs/examples/nginx.conf in a real nginx, in front of an API that takes this host's token and nothing else."""

import base64
import contextlib
import http.client
import http.server
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from ports import free_port

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/examples/nginx.conf")
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
PASSWORD = "correct horse"
# Its workers are of another user, where the tests may make them so.
USER = "www-data" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
GRANT = {"nginx": {"profile": "backup", "user": USER}}


@pytest.fixture
def place():
    """A folder that nginx's workers can reach the agent's socket in."""
    with tempfile.TemporaryDirectory(prefix="keystay-nginx-") as folder:
        os.chmod(folder, 0o755)
        yield folder


@pytest.fixture
def api():
    """Answers 200 and remembers each request's headers."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.seen.append((self.path, list(self.headers.items())))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def replace(text, old, new):
    assert old in text, f"the example has no {old}"
    return text.replace(old, new)


class Nginx:
    def __init__(self, place, agent_socket, api):
        self.port, self.log = free_port(), os.path.join(place, "nginx.log")
        with open(EXAMPLE, encoding="utf-8") as file:
            example = file.read()
        passwords = os.path.join(place, "htpasswd")
        with open(passwords, "w", encoding="ascii") as file:
            file.write(f"client:{{PLAIN}}{PASSWORD}\n")
        os.chmod(passwords, 0o644)
        example = replace(example, "/run/keystay/agent.sock", agent_socket)
        example = replace(example, "127.0.0.1:8080", f"127.0.0.1:{self.port}")
        example = replace(example, "/etc/nginx/api.htpasswd", passwords)
        example = replace(example, "https://api.example", f"http://127.0.0.1:{api.server_port}")
        paths = "".join(f"{kind}_temp_path {place}/{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = f"user {USER};\n" if os.geteuid() == 0 else ""
        config = os.path.join(place, "nginx.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"{user}daemon off;\nworker_processes 1;\npid {place}/nginx.pid;\nerror_log {self.log} info;\n"
                       f"events {{}}\nhttp {{\naccess_log {self.log};\n{paths}{example}}}\n")
        self.process = subprocess.Popen([NGINX, "-p", place, "-c", config, "-e", self.log], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not self.is_listening():
            assert self.process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.02)

    def is_listening(self):
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except OSError:
            return False

    def said(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def get(self, path="/data", authorization=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path, headers={"Authorization": authorization} if authorization else {})
        response = connection.getresponse()
        answer = response.status, dict(response.getheaders()), response.read()
        connection.close()
        return answer

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        assert "eyJ" not in self.said()


@pytest.fixture
def begin(start, place, api):
    """begin(...): an agent and an nginx in front of the API."""
    running = []

    def both(**options):
        options = {"profiles": {"backup": {}}, "grants": GRANT} | options
        path = os.path.join(place, "agent.sock")
        agent = start(agent={"socket": path, "socket_mode": "0666"}, **options)
        running.append(Nginx(place, path, api))
        return agent, running[-1]
    yield both
    for nginx in running:
        nginx.stop()


def basic(password=PASSWORD):
    return "Basic " + base64.b64encode(f"client:{password}".encode()).decode()


def authorizations(api):
    return [value for _, headers in api.seen for name, value in headers if name.lower() == "authorization"]


def test_the_api_sees_the_hosts_token_and_not_the_clients_password(begin, api):
    agent, nginx = begin()
    status, headers, body = nginx.get(authorization=basic())
    assert status == 200, nginx.said()
    assert authorizations(api) == [f"Bearer {agent.token('backup')}"]
    assert "authorization" not in {name.lower() for name in headers} and b"eyJ" not in body


STRANGERS = {"nobody": None, "a wrong password": basic("wrong"), "a token of their own": "Bearer eyJ.of.mine"}


@pytest.mark.parametrize("authorization", STRANGERS.values(), ids=STRANGERS)
def test_a_stranger_reaches_neither_agent_nor_api(begin, api, authorization):
    agent, nginx = begin()
    assert nginx.get(authorization=authorization)[0] == 401
    requests = agent.status()["requests"]  # the token itself may be there: the agent opens what a grant names
    assert not any(requests.values()), requests
    assert api.seen == []


def test_the_agents_own_location_is_for_nginx_alone(begin, api):
    agent, nginx = begin()
    assert nginx.get("/_keystay", basic())[0] == 404
    assert not any(agent.status()["requests"].values()) and api.seen == []


def test_without_a_grant_for_its_user_nothing_passes(begin, api):
    agent, nginx = begin(grants={"nginx": {"profile": "backup", "user": "root"}})
    status, _, _ = nginx.get(authorization=basic())
    if os.geteuid() == 0:  # else its workers are of the agent's own user
        assert status == 403 and api.seen == []
        assert f"user {pwd.getpwnam(USER).pw_uid}" in agent.log()


def test_without_an_agent_nothing_passes(begin, api):
    agent, nginx = begin()
    assert nginx.get(authorization=basic())[0] == 200
    agent.stop()
    assert nginx.get(authorization=basic())[0] == 500
    assert len(api.seen) == 1


def test_an_agent_that_comes_back_is_found(begin, api):
    agent, nginx = begin()
    agent.stop()
    assert nginx.get(authorization=basic())[0] == 500
    agent._start()
    assert nginx.get(authorization=basic())[0] == 200
    assert len(authorizations(api)) == 1


SMUGGLED = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
ODD = {
    "a body": b"GET /data HTTP/1.1\r\nHost: x\r\n%s" + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    "chunks": b"GET /data HTTP/1.1\r\nHost: x\r\n%s" + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(SMUGGLED) +
              SMUGGLED + b"\r\n0\r\n\r\n",
    "to be continued": b"GET /data HTTP/1.1\r\nHost: x\r\n%sExpect: 100-continue\r\n" +
                       b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    "a header to drop": b"GET /data HTTP/1.1\r\nHost: x\r\n%sConnection: close, Authorization, Host\r\n\r\n",
    "another path": b"GET /%%5fkeystay/..%%2f..//v1/status?profile=other HTTP/1.1\r\nHost: x\r\n%s\r\n",
    "an absolute address": b"GET http://keystay_agent/v1/status HTTP/1.1\r\nHost: x\r\n%s\r\n",
    "long headers": b"GET /data HTTP/1.1\r\nHost: x\r\n%s" + (b"X: " + b"y" * 7000 + b"\r\n") * 3 + b"\r\n",
}


@pytest.mark.parametrize("request_", ODD.values(), ids=ODD)
def test_what_a_client_sends_does_not_reach_the_agent(begin, api, request_):
    """It is asked one thing, whatever is asked for; what comes after it is nobody else's answer."""
    agent, nginx = begin()
    token = agent.token("backup")
    before = agent.status()["requests"]
    login = b"Connection: close\r\nAuthorization: " + basic().encode() + b"\r\n"
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", nginx.port), timeout=60) as connection:
            connection.sendall(request_ % login)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while part := connection.recv(65536):
                    answer += part
        assert answer.startswith(b"HTTP/1.1 ") and b"eyJ" not in answer and b"listening" not in answer, answer
    assert nginx.get(authorization=basic())[0] == 200
    after = agent.status()["requests"]
    assert after["served_held"] - before["served_held"] <= 3 and after["refused"] == before["refused"]
    for _, headers in api.seen:
        assert [value for name, value in headers if name.lower() == "authorization"] == [f"Bearer {token}"]
