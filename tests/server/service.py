# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 over TLS on loopback: reads requests, routes them, sends what the rest of the server decides.

Each connection has a thread of its own, the TLS handshake included, so that a client that stalls blocks
nobody. Only loopback addresses are served, and only requests that call the server by one of its own names.
Nothing here knows what a token is.
"""

import ipaddress
import json
import re
import socket
import ssl
import socketserver
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import entra
import misbehave
import wire

BODY_LEN_MAX = 256 * 1024
CONTROL_LEN_MAX = 64 * 1024 * 1024  # a script may hold answers that are too large for any client
IDLE_S = 60
_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)
NOT_FOUND = wire.Answer(404, {}, b"")


class BadRequest(Exception):
    """Not worth an OAuth answer: the status, after which the connection is closed."""

    def __init__(self, status):
        self.status = status
        super().__init__(status)


class Services:
    """What the server is made of; script and log are served to clients only under control."""

    def __init__(self, endpoints, script, log, control):
        self.endpoints = endpoints
        self.script = script
        self.log = log
        self.control = control

    def token(self, request, peer_port):
        step = self.script.next()
        normal = self.endpoints.token(request) if step.needs_normal_answer() else None
        answer = misbehave.bend(step, normal)
        outcome = {"status": answer.status, "scripted": step != misbehave.NORMAL} | answer.error
        self.log.add(request, outcome, peer_port)
        return step, answer

    def other(self, request):
        if request.path.startswith("/__"):
            return self._controls(request) if self.control else NOT_FOUND
        answer = self.endpoints.document(request) if request.method == "GET" else None
        return answer or NOT_FOUND

    def _controls(self, request):
        routes = {
            ("GET", "/__healthz"): lambda: wire.json_answer(200, "ok"),
            ("GET", "/__log"): lambda: wire.json_answer(200, self.log.entries()),
            ("DELETE", "/__log"): lambda: wire.json_answer(200, self.log.clear()),
            ("POST", "/__script"): lambda: self._take_script(request.body),
        }
        return routes.get((request.method, request.path), lambda: NOT_FOUND)()

    def _take_script(self, body):
        try:
            self.script.extend(json.loads(body))
        except ValueError as error:  # JSON's, UTF-8's and BadScript
            return wire.json_answer(400, {"error": str(error)})
        return wire.json_answer(200, "ok")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "keystay-test"
    timeout = IDLE_S
    wbufsize = -1  # head and body leave in one record
    disable_nagle_algorithm = True

    def _handle(self):
        try:
            request = self._read_request()
        except BadRequest as error:
            self.close_connection = True
            answer = wire.Answer(error.status, {"Connection": "close"}, b"")
            return misbehave.deliver(self, misbehave.NORMAL, answer)
        step = misbehave.NORMAL
        if entra.is_token_path(request.path):
            step, answer = self.server.services.token(request, self.client_address[1])
        else:
            answer = self.server.services.other(request)
        misbehave.deliver(self, step, answer)

    do_GET = do_POST = do_PUT = do_DELETE = _handle

    def _read_request(self):
        base_url = self.server.base_urls.get(self.headers.get("Host", ""))
        if base_url is None:
            raise BadRequest(421)
        path, _, query = self.path.partition("?")
        headers = {name.lower(): ", ".join(self.headers.get_all(name)) for name in self.headers}
        limit = CONTROL_LEN_MAX if path == "/__script" else BODY_LEN_MAX
        return wire.Request(self.command, base_url, path, query, headers, self._read_body(limit))

    def _read_body(self, limit):
        if "Transfer-Encoding" in self.headers:
            raise BadRequest(411)
        lengths = self.headers.get_all("Content-Length") or (["0"] if self.command != "POST" else [])
        if len(lengths) != 1:
            raise BadRequest(400 if lengths else 411)
        if not _DIGITS.fullmatch(lengths[0]):
            raise BadRequest(400)
        if int(lengths[0]) > limit:
            raise BadRequest(413)
        body = self.rfile.read(int(lengths[0]))
        if len(body) != int(lengths[0]):
            raise BadRequest(400)
        return body

    def date_time_string(self, timestamp=None):
        return super().date_time_string(self.server.clock() if timestamp is None else timestamp)

    def log_message(self, *args):
        if self.server.verbose:
            super().log_message(*args)


class Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, host, port, tls, services, clock, verbose=False):
        address = ipaddress.ip_address(host)
        if not address.is_loopback:
            raise ValueError(f"{host} is not a loopback address")
        self.address_family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        self._tls, self.services, self.clock, self.verbose = tls, services, clock, verbose
        super().__init__((host, port), Handler)
        shown = f"[{host}]" if address.version == 6 else host
        self.url = f"https://{shown}:{self.server_port}"
        authorities = [f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost", "[::1]", shown)]
        self.base_urls = {authority: f"https://{authority}" for authority in authorities}

    def server_bind(self):
        """Without HTTPServer's reverse look-up of the address, which may ask a name server."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def finish_request(self, request, client_address):
        """In the connection's thread. The close is abrupt: answers state their length or mean to break."""
        request.settimeout(IDLE_S)
        with self._tls.wrap_socket(request, server_side=True) as connection:
            self.RequestHandlerClass(connection, client_address, self)

    def handle_error(self, request, client_address):
        """A client that goes away or speaks no TLS is its own affair; any other exception is a bug here."""
        if self.verbose or not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def tls_context(certificate_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(certificate_path)
    return context
