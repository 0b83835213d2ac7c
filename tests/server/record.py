# SPDX-License-Identifier: Apache-2.0
"""The log of all requests at the token endpoints, for tests that ask what a client really sent.

It shows a request as it came, refused or not: raw body, form fields in order, the assertion decoded when it
can be decoded. It judges nothing, and it never holds an access token.
"""

import threading

import jws
import wire


def _form(request):
    try:
        return wire.form_pairs(request)
    except wire.BadForm:
        return None


def _assertion(form):
    texts = [value for name, value in form or [] if name == "client_assertion"]
    try:
        token = jws.parse(texts[0]) if texts else None
    except jws.Malformed:
        token = None
    if token is None:
        return None
    nbf, exp = token.claims.get("nbf"), token.claims.get("exp")
    lifetime_s = exp - nbf if type(nbf) is int and type(exp) is int else None
    return {"header": token.header, "claims": token.claims, "lifetime_s": lifetime_s}


class Log:
    def __init__(self):
        self._lock = threading.Lock()
        self._entries = []

    def add(self, request, outcome, peer_port):
        form = _form(request)
        entry = {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": request.headers,
            "body": request.body.decode("latin-1"),
            "form": form,
            "assertion": _assertion(form),
            "outcome": outcome,
            "peer_port": peer_port,  # the same for requests on one connection
        }
        with self._lock:
            self._entries.append(entry)

    def entries(self):
        with self._lock:
            return list(self._entries)

    def clear(self):
        with self._lock:
            self._entries.clear()
