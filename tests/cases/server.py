# SPDX-License-Identifier: Apache-2.0
"""A server that answers what a case says, in that order, and keeps what it was asked.

It is tests/server's (TLS, strict HTTP, misbehaviour by script) with another inside: no tenant, no rule of its
own, any path. It judges nothing; the runner compares.
"""

import json
import threading
import time

import pki
from misbehave import NORMAL, Script, bend
from service import Server, Services, tls_context
from wire import Answer


class Scripted(Services):
    """Every request takes the next step; one too many gets 500, and is seen in what was asked."""

    def __init__(self):
        super().__init__(None, Script(), None, False)
        self.asked = []

    def token(self, request, peer_port):
        return NORMAL, self.other(request)

    def other(self, request):
        self.asked.append(request)
        step = self.script.next()
        return Answer(500, {}, b"") if step == NORMAL else bend(step, None)


def _as_step(answer):
    """A case says {"status": 200, "json": ...}, or a step as tests/server/misbehave.py has it."""
    if "json" not in answer:
        return answer
    step = {name: value for name, value in answer.items() if name != "json"}
    return {"status": 200, "body": json.dumps(answer["json"])} | step


class CaseServer:
    def __init__(self, folder):
        self.cacert, server_path = pki.prepare(str(folder))
        self._services = Scripted()
        self._server = Server("127.0.0.1", 0, tls_context(server_path), self._services, time.time)
        self.url = self._server.url
        threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()

    def play(self, answers):
        self._services.script = Script()
        self._services.script.extend([_as_step(answer) for answer in answers])
        self._services.asked = []

    def asked(self):
        return self._services.asked

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
