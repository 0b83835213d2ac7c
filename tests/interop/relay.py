# SPDX-License-Identifier: Apache-2.0
"""Stands between a client and the agent, and notes what is asked: how often a library tries is seen from outside of it."""

import http.client
import http.server
import threading
from urllib.parse import urlsplit

HOP = ("host", "connection", "transfer-encoding", "content-length")


class Relay:
    """env is the client's: its variables with the address of the relay in the place of the agent's."""

    def __init__(self, env):
        relay, agent = self, urlsplit(env["IDENTITY_ENDPOINT"]).netloc
        self.lines = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                relay.lines.append(self.path)
                upstream = http.client.HTTPConnection(agent, timeout=60)
                kept = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
                upstream.request("GET", self.path, headers=kept)
                answer = upstream.getresponse()
                body = answer.read()
                upstream.close()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        here = f"127.0.0.1:{self._server.server_address[1]}"
        self.env = {name: value.replace(agent, here) for name, value in env.items()}
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def n_requests(self):
        return len(self.lines)

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
